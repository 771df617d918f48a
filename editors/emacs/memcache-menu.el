;;; memcache-menu.el --- All commands of memcache.el at a glance  -*- lexical-binding: t; -*-

;; Copyright (c) 2026 The memcache-lsp authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Owns the transient menu.  A file of its own, so that transient.el is loaded
;; when it is wanted and not before.

;;; Code:

(require 'transient)
(require 'memcache)

(defun memcache--menu-asked ()
  "Return what is asked as an entry of the menu."
  (format "asked: %s" (memcache--scope-name (memcache--scope))))

;;;###autoload (autoload 'memcache-menu "memcache-menu" "Show all commands." t)
(transient-define-prefix memcache-menu ()
  "Show all commands."
  [["Ask"
    ("a" "a question" memcache-ask)
    ("f" "a follow-up" memcache-ask-follow-up)
    ("e" "to explain" memcache-explain)
    ("u" "to summarize the file" memcache-summarize-file)
    ("c" "what calls this" memcache-callers)]
   ["Find"
    ("s" "search" memcache-search)
    ("j" "jump" memcache-jump)
    ("=" "similar places" memcache-similar)
    ("t" "earlier questions" memcache-threads
     :if (lambda () (memcache--here-p memcache-method-threads)))]
   ["Caches"
    ("o" memcache-scope :description memcache--menu-asked)
    ("d" "list" memcache-caches)
    ("+" "add a folder" memcache-caches-add)
    ("F" "add a file" memcache-caches-add-file)
    ("R" "add a reading folder" memcache-caches-add-reading)
    ("n" "open a new page" memcache-news :if (lambda () memcache--news))
    ("N" "ask about a new page" memcache-news-ask :if (lambda () memcache--news))]
   ["Server"
    ("?" "status" memcache-status)
    ("i" "index" memcache-index)
    ("w" "why this file" memcache-why)
    ("M" "models" memcache-models
     :if (lambda () (memcache--here-p memcache-method-models)))
    ("k" "end the session" memcache-stop)]])

(provide 'memcache-menu)
;;; memcache-menu.el ends here
