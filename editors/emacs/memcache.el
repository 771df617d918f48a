;;; memcache.el --- Ask questions about a project  -*- lexical-binding: t; -*-

;; Copyright (c) 2026 The memcache-lsp authors

;; Author: The memcache-lsp authors
;; Version: 0.1.0
;; Package-Requires: ((emacs "28.1"))
;; Keywords: tools, convenience, languages
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Ask questions about the code and documents of a project, and get answers
;; whose every claim leads to the lines that it comes from.  The server,
;; memcache-lsp, runs on your own machine; nothing leaves it.
;;
;; Begin
;; =====
;;
;;     (require 'memcache)
;;     (global-memcache-mode)
;;     (global-set-key (kbd "C-c m") memcache-command-map)
;;
;; Where the program `memcache-lsp' is not in your path, set `memcache-command'.
;; Nothing is started until the first command; the first question has the
;; project indexed, and an answer from before that was done says so.  No key is
;; bound by itself: C-c and a letter is yours to give.  M-x memcache-menu shows all
;; there is.
;;
;; Ask
;; ===
;;
;; M-x memcache-ask reads a question.  The region, else the definition at
;; point, is told as the place that it is about; a prefix argument asks where
;; to look.  The buffer *memcache* shows the sources at once, then what the
;; server is at, then the answer as it is written.  Each [n] is a button:
;;
;;     n, p, TAB   move between them and show their lines in another window
;;     RET         go there; also M-g n and M-g p from anywhere
;;     f           ask a follow-up question
;;     g           ask again
;;     c           copy the answer with links
;;     e           export the thread to Org
;;     C-c C-k     stop; what is written stays
;;     q           quit
;;
;; The window follows the text as long as point is at its end.  A new question
;; takes the place of the old answer, which M-x memcache-threads still has;
;; rename the buffer to keep it.  Numbers whose lines have changed since look
;; struck out, and what an answer says without its sources is underlined.
;;
;; memcache-explain, memcache-summarize-file and memcache-callers ask about
;; what is at point.
;;
;; Search
;; ======
;;
;; M-x memcache-search shows what is found in an xref buffer while you type.
;; M-x memcache-jump does so in the minibuffer, and goes to what you choose.
;; M-x memcache-similar finds what resembles the region.
;;
;; Caches
;; ======
;;
;; A cache is a set of folders and files anywhere on the machine: papers, manuals,
;; notes.  M-x memcache-caches-add adds a folder, memcache-caches-add-file a file,
;; memcache-caches-add-reading a folder whose new pages are told of; memcache-news
;; opens such a page, memcache-news-ask asks about it.  M-x memcache-caches lists
;; them all, as they are while the list can be seen:
;;
;;     RET         its places, and which files failed and why
;;     m           ask it from now on, or no more; so for the project itself
;;     a, f, r     add a folder, a file, a reading folder
;;     i           pause, resume or rebuild its index
;;     d           forget it; with a prefix argument, one of its places
;;
;; M-x memcache-scope chooses what is asked too: the project (workspace), caches,
;; or both, until another choice is made.  Prompts, the header of answers and the
;; mode line tell what that is.
;;
;; A page of a PDF is opened by pdf-tools or doc-view where a frame shows
;; pictures.  Otherwise, and for notebooks, books and mail, the passage that was
;; read is shown, from where RET opens the file as a whole, in Emacs or else by the
;; program of the system, which a terminal alone has not.
;;
;; Modes
;; =====
;;
;; `memcache-mode' has a buffer's unsaved text take part in search and answers,
;; and shows in the mode line when a project is indexed, something is wrong, more
;; or other than the project is asked, or there are new pages, and nothing otherwise.
;; `global-memcache-mode' turns it on wherever there is a file.  In a buffer of
;; another machine (TRAMP) the server is started there.

;;; Code:

(require 'easymenu)
(require 'memcache-search)
(require 'memcache-caches)
(require 'memcache-news)

(autoload 'memcache-menu "memcache-menu" "Show all commands." t)

(defvar memcache-command-map
  (let ((map (make-sparse-keymap)))
    (define-key map "a" #'memcache-ask)
    (define-key map "f" #'memcache-ask-follow-up)
    (define-key map "s" #'memcache-search)
    (define-key map "j" #'memcache-jump)
    (define-key map "e" #'memcache-explain)
    (define-key map "u" #'memcache-summarize-file)
    (define-key map "c" #'memcache-callers)
    (define-key map "=" #'memcache-similar)
    (define-key map "o" #'memcache-scope)
    (define-key map "d" #'memcache-caches)
    (define-key map "n" #'memcache-news)
    (define-key map "t" #'memcache-threads)
    (define-key map "i" #'memcache-index)
    (define-key map "w" #'memcache-why)
    (define-key map "?" #'memcache-status)
    (define-key map "m" #'memcache-menu)
    map)
  "Commands, to be bound to a key of your choice.")
(fset 'memcache-command-map memcache-command-map)

(defvar memcache-mode-map (make-sparse-keymap)
  "Keys of `memcache-mode': none, but a menu.")

(easy-menu-define memcache-mode-menu memcache-mode-map
  "Menu of `memcache-mode'."
  '("Memcache"
    ["Ask…" memcache-ask]
    ["Follow up…" memcache-ask-follow-up :active (memcache--latest-answer)]
    ["Explain" memcache-explain]
    ["Summarize file" memcache-summarize-file :active (memcache--buffer-file)]
    ["What calls this?" memcache-callers]
    "--"
    ["Search…" memcache-search]
    ["Jump to…" memcache-jump]
    ["Similar places" memcache-similar :active (memcache--buffer-file)]
    "--"
    ["Ask which caches…" memcache-scope]
    ["Caches" memcache-caches]
    ["Add a folder…" memcache-caches-add]
    ["Add a file…" memcache-caches-add-file]
    ["Add a reading folder…" memcache-caches-add-reading]
    ["Open a new page" memcache-news :active memcache--news]
    ["Ask about a new page…" memcache-news-ask :active memcache--news]
    "--"
    ["Earlier questions" memcache-threads
     :visible (memcache--here-p memcache-method-threads)]
    ["Models" memcache-models :visible (memcache--here-p memcache-method-models)]
    "--"
    ["Index…" memcache-index]
    ["Why is this file (not) indexed?" memcache-why :active (memcache--buffer-file)]
    ["Status" memcache-status]
    ["End the session" memcache-stop :active (memcache--live)]))

(defun memcache--here-p (method)
  "Tell whether METHOD is served here, as far as is known."
  (memcache--offered-p method (memcache--live)))

;;;; The modes

;;;###autoload
(define-minor-mode memcache-mode
  "Have this buffer's unsaved text take part in search and answers.
The mode line tells when its project is indexed or something is wrong, and what
is asked in place of the project."
  :lighter (:eval (memcache--lighter))
  (if memcache-mode
      (progn (memcache--take-part)
             (memcache--hold-places))
    (memcache--part)))

(defun memcache--turn-on ()
  "Turn `memcache-mode' on where there is a file."
  (when (and (memcache--buffer-file) (not (minibufferp)))
    (memcache-mode 1)))

;;;###autoload
(define-globalized-minor-mode global-memcache-mode memcache-mode memcache--turn-on
  :group 'memcache)

(defun memcache--hold-places ()
  "Have the places of answers that lie in this buffer follow its edits."
  (when-let* ((file buffer-file-name))
    (dolist (answer (buffer-list))
      (dolist (turn (buffer-local-value 'memcache--turns answer))
        (dolist (place (memcache--turn-places turn))
          (when (equal (memcache--place-file place) file)
            (memcache--hold place (current-buffer))))))))

;;;; The mode line

(defun memcache--lighter ()
  "Return what there is to tell: nothing when all is well and the project asked."
  (let ((health (memcache--lighter-health))
        (asked (memcache--lighter-asked))
        (new (if memcache--news (format " %d new" (length memcache--news)) "")))
    (if (equal (concat health asked new) "")
        ""
      (concat (if (equal health "") " Memcache" health) asked new))))

(defun memcache--lighter-health ()
  "Return what is wrong with the server or how far it is, empty when all is well."
  (if-let* ((connection (memcache--live)))
      (let ((bars (oref connection bars))
            (health (oref connection health)))
        (cond ((not (equal health "ok"))
               (propertize " Memcache!" 'face (if (equal health "error") 'error 'warning)
                           'help-echo (oref connection trouble)))
              (bars (format " Memcache %d%%%%" (apply #'min (mapcar #'cdr bars))))
              (t "")))
    ""))

(defun memcache--lighter-asked ()
  "Return what is asked, empty for the project alone."
  (let ((asked (memcache--asked)))
    (if (equal asked (list memcache--workspace))
        ""
      (format " [%s]" (memcache--verbatim (string-join asked "+"))))))

(defun memcache--status-changed ()
  "Show the mode lines anew."
  (force-mode-line-update t))

(add-hook 'memcache--status-functions #'memcache--status-changed)

(provide 'memcache)
;;; memcache.el ends here
