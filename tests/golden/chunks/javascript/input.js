'use strict';

const http = require('http');
const MAX_RETRIES = 3;

/**
 * Fetch a page and follow its redirects.
 */
async function fetchPage(url, depth = 0) {
  const response = await request(url);
  if (response.status >= 300 && response.status < 400) {
    if (depth > MAX_RETRIES) {
      throw new TooManyRedirects(url);
    }
    return fetchPage(response.headers.location, depth + 1);
  }
  return response.body;
}

// Errors carry the address that failed.
class TooManyRedirects extends Error {
  static code = 'E_REDIRECT';

  constructor(url) {
    super(`too many redirects: ${url}`);
    this.url = url;
  }

  get host() {
    return new URL(this.url).host;
  }
}

const request = (url) =>
  new Promise((resolve, reject) => {
    http.get(url, resolve).on('error', reject);
  });

function Router() {}

Router.prototype.handle = function handle(req, res) {
  res.end(req.url);
};

exports.createServer = function () {
  return http.createServer(new Router().handle);
};

const handlers = {
  onOpen() {},
  onClose: () => {},
};

module.exports.fetchPage = fetchPage;
export default class Crawler {}
