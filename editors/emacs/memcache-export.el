;;; memcache-export.el --- An answer as Markdown or Org  -*- lexical-binding: t; -*-

;; Copyright (c) 2026 The memcache-lsp authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Owns what leaves the buffer of an answer: its copy as Markdown and its export
;; to Org, both with the citations as links.

;;; Code:

(require 'memcache-turn)

(declare-function org-mode "org")
(declare-function org-link-make-string "ol")

(defun memcache--turn-here ()
  "Return the turn at point."
  (or (cl-find-if (lambda (turn)
                    (let ((end (memcache--turn-end turn)))
                      (or (null end) (<= (point) end))))
                  (reverse memcache--turns))
      (car memcache--turns)
      (user-error "There is no answer here")))

(defun memcache--turn-string (turn link)
  "Return the text of TURN, each [n] as LINK writes it for label and place."
  (let* ((start (or (memcache--turn-text turn)
                    (user-error "There is no text in this answer")))
         (end (or (memcache--turn-end turn) (point-max)))
         (at (marker-position start))
         (parts nil))
    (memcache--widened
      (let ((button (next-button start t)))
        (while (and button (< (button-start button) end))
          (let ((place (memcache--button-place button))
                (label (replace-regexp-in-string "[][ ]" "" (button-label button))))
            (push (buffer-substring-no-properties at (button-start button)) parts)
            (push (funcall link label place) parts)
            (setq at (button-end button)
                  button (next-button at t)))))
      (push (buffer-substring-no-properties at end) parts))
    (string-trim (apply #'concat (nreverse parts)))))

(defun memcache--cited-places (turn)
  "Return the sources of TURN that its text cites, as an alist of number and place."
  (cl-loop for place in (memcache--turn-sources turn) for n from (memcache--turn-first turn)
           when place collect (cons n place)))

(defun memcache--fragment (place)
  "Return what stands behind a URI for where PLACE is in its file."
  (let ((page (memcache--place-page place)))
    (cond (page (format "#page=%d" page))
          ((memcache--place-spot place) "")
          (t (format "#L%d" (car (memcache--place-lines place)))))))

(defun memcache--org-target (place)
  "Return what an Org link to PLACE names."
  (let ((file (memcache--place-file place)) (page (memcache--place-page place)))
    (cond (page (format "docview:%s::%d" file page))
          ((memcache--place-spot place) (concat "file:" file))
          (t (format "file:%s::%d" file (car (memcache--place-lines place)))))))

(defun memcache-answer-copy ()
  "Copy the answer at point as Markdown, its citations as links."
  (interactive)
  (let* ((turn (memcache--turn-here))
         (link (lambda (label place)
                 (format "[%s](%s%s)" label (memcache--uri (memcache--place-file place))
                         (memcache--fragment place))))
         (text (memcache--turn-string turn link)))
    (kill-new (concat text "\n\n"
                      (mapconcat (pcase-lambda (`(,n . ,place))
                                   (concat (format "%d. " n)
                                           (funcall link (memcache--place-label place) place)))
                                 (memcache--cited-places turn) "\n")
                      "\n"))
    (message "Copied")))

(defun memcache-answer-export ()
  "Show the thread as an Org buffer, its citations as links."
  (interactive)
  (require 'ol)
  (let* ((link (lambda (label place)
                 (org-link-make-string (memcache--org-target place) label)))
         (parts
          (cl-loop
           for turn in (reverse memcache--turns)
           when (memcache--turn-text turn) collect
           (concat "* " (memcache--turn-question turn) "\n\n"
                   (memcache--markdown-to-org (memcache--turn-string turn link))
                   "\n\n** Sources\n\n"
                   (mapconcat (pcase-lambda (`(,n . ,place))
                                (format "%d. %s" n (funcall link (memcache--place-label place) place)))
                              (memcache--cited-places turn) "\n")
                   "\n"))))
    (unless parts
      (user-error "There is no text in this answer"))
    (with-current-buffer (generate-new-buffer "*memcache*.org")
      (insert (string-join parts "\n"))
      (goto-char (point-min))
      (org-mode)
      (pop-to-buffer (current-buffer)))))

;;;; From Markdown to Org

(defun memcache--markdown-to-org (text)
  "Return the Markdown TEXT in Org's markup; links are left as they are."
  (with-temp-buffer
    (insert text)
    (goto-char (point-min))
    (let ((code nil))
      (while (not (eobp))
        (cond
         ((looking-at "[ \t]*```[ \t]*\\([^ \t\n`]*\\).*$")
          (replace-match (cond (code "#+end_src")
                               ((string-empty-p (match-string 1)) "#+begin_src text")
                               (t (concat "#+begin_src " (match-string 1))))
                         t t)
          (setq code (not code)))
         (code (when (looking-at "\\*\\|#\\+")
                 (insert ",")))
         (t (memcache--markdown-line-to-org)))
        (forward-line 1))
      (when code
        (goto-char (point-max))
        (insert (if (bolp) "" "\n") "#+end_src\n")))
    (buffer-string)))

(defun memcache--markdown-line-to-org ()
  "Change the line at point from Markdown to Org."
  (cond ((looking-at "\\(#+\\) ")
         (replace-match (concat (make-string (1+ (length (match-string 1))) ?*) " ") t t))
        ((looking-at "\\*+ ") (replace-match "- " t t)))
  (let ((end (copy-marker (line-end-position))))
    (while (re-search-forward "`\\([^`\n]+\\)`\\|\\(?:\\*\\*\\|__\\)\\([^*_\n]+\\)\\(?:\\*\\*\\|__\\)" end t)
      (replace-match (if (match-beginning 1)
                         (concat "~" (match-string 1) "~")
                       (concat "*" (match-string 2) "*"))
                     t t))
    (set-marker end nil)))

(provide 'memcache-export)
;;; memcache-export.el ends here
