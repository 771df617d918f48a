;;; memcache-news.el --- What came into a reading folder  -*- lexical-binding: t; -*-

;; Copyright (c) 2026 The memcache-lsp authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Owns the news of reading folders: pages that were taken in since anybody looked.
;; They are told in the echo area and counted in the mode line, and can be opened
;; or asked about from there on.

;;; Code:

(require 'memcache-ask)

(defvar memcache--news nil
  "Pages that were not looked at, latest first: (TITLE FILE CACHE HOST).")

(defconst memcache--news-limit 50
  "How many pages are kept.")

(defun memcache--take-news (connection params)
  "Take PARAMS of a page that is new, from CONNECTION."
  (let* ((host (oref connection host))
         (file (memcache--file (memcache-did-read-document-params-uri params) host))
         (title (or (memcache-did-read-document-params-title params)
                    (file-name-nondirectory file)))
         (cache (memcache-did-read-document-params-cache params)))
    (setq memcache--news
          (seq-take (cons (list title file cache host)
                          (cl-remove file memcache--news :key #'cadr :test #'equal))
                    memcache--news-limit))
    (force-mode-line-update t)
    (message "Memcache: %s has a new page, %s (M-x memcache-news opens it)" cache title)))

(defun memcache--read-news ()
  "Read one of the pages that were not looked at, and return it."
  (unless memcache--news
    (user-error "There are no new pages"))
  (let ((pages (mapcar (lambda (page) (cons (format "%s (%s)" (car page) (nth 2 page)) page))
                       memcache--news)))
    (if (cdr pages)
        (cdr (assoc (completing-read (format-prompt "New page" (caar pages)) pages
                                     nil t nil nil (caar pages))
                    pages))
      (cdar pages))))

(defun memcache--end-news (page)
  "Have PAGE, which was looked at, count no more."
  (setq memcache--news (remq page memcache--news))
  (force-mode-line-update t))

;;;###autoload
(defun memcache-news ()
  "Open a new page of a reading folder."
  (interactive)
  (let* ((page (memcache--read-news)) (file (nth 1 page)))
    (unless (file-exists-p file)
      (memcache--end-news page))
    (memcache--open-file file)
    (memcache--end-news page)))

;;;###autoload
(defun memcache-news-ask (question)
  "Ask QUESTION about a new page of a reading folder; an empty one sums it up."
  (interactive (list (read-string "Ask about a new page (empty: sum it up): " nil
                                  'memcache--question-history)))
  (pcase-let* ((page (memcache--read-news))
               (`(,title ,file ,cache ,host) page)
               (summary (string-empty-p (string-trim question)))
               (default-directory (if host (file-name-directory file) default-directory)))
    (memcache--ask (if summary (format "Summarize %s." title) question)
                   (list :document (memcache-make-text-document-identifier
                                    :uri (memcache--uri file)))
                   :intent (and summary "summarize")
                   :scope (memcache-make-scope :caches (list cache)))
    (memcache--end-news page)))

(defun memcache--forget-news (connection)
  "Forget the news from CONNECTION, which ended."
  (setq memcache--news (cl-remove (oref connection host) memcache--news
                                  :key (lambda (page) (nth 3 page)) :test #'equal)))

(add-hook 'memcache--read-functions #'memcache--take-news)
(add-hook 'memcache--lost-functions #'memcache--forget-news)

(provide 'memcache-news)
;;; memcache-news.el ends here
