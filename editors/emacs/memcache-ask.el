;;; memcache-ask.el --- Ask, and move about in answers  -*- lexical-binding: t; -*-

;; Copyright (c) 2026 The memcache-lsp authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Owns the commands that ask, and the mode of the buffers where the answers
;; are: moving between citations, opening, stopping, asking again.

;;; Code:

(require 'thingatpt)
(require 'memcache-answer)
(require 'memcache-export)
(require 'memcache-scope)
(require 'memcache-sync)

(defvar memcache--question-history nil
  "Questions that were asked.")

;;;; What a question is about

(defun memcache--context (&optional whole)
  "Return what the user is at as a plist: document, selection, text.
The selection is the region, else the definition at point, unless WHOLE.
Where the buffer has no file, a region goes along as text."
  (let* ((bounds (unless whole (memcache--selection-bounds)))
         (file (memcache--buffer-file)))
    (cond
     (file (list :document (memcache-make-text-document-identifier :uri (memcache--uri file))
                 :selection (and bounds (memcache--range (car bounds) (cdr bounds)))
                 :name (file-name-nondirectory file)))
     ((and bounds (use-region-p))
      (list :text (memcache--excerpt (car bounds) (cdr bounds)) :name (buffer-name))))))

(defun memcache--selection-bounds ()
  "Return the bounds of the region, else of the definition at point, or nil."
  (cond ((use-region-p) (cons (region-beginning) (region-end)))
        ((derived-mode-p 'prog-mode)
         (ignore-errors
           (let ((bounds (bounds-of-thing-at-point 'defun)))
             (and bounds (<= (car bounds) (point) (cdr bounds)) bounds))))))

(defun memcache--excerpt (start end)
  "Return the text from START to END, the first 2000 characters of it."
  (buffer-substring-no-properties start (min end (+ start 2000))))

(defun memcache--read-question (prompt)
  "Read a question with PROMPT."
  (let ((question (string-trim (read-string prompt nil 'memcache--question-history))))
    (when (string-empty-p question)
      (user-error "There is no question"))
    question))

;;;; Asking

(defun memcache--ask (question context &rest more)
  "Ask QUESTION about CONTEXT in a fresh buffer.
MORE are `:intent' and `:scope', by default what is chosen."
  (let* ((connection (memcache--connect))
         (scope (if (plist-member more :scope) (plist-get more :scope) (memcache--scope)))
         (text (plist-get context :text))
         (params (memcache-make-ask-params
                  :question (if text (concat question "\n\n" text) question)
                  :intent (plist-get more :intent)
                  :text-document (plist-get context :document)
                  :selection (plist-get context :selection)
                  :scope scope))
         (buffer (memcache--new-buffer)))
    (memcache--show-answer buffer)
    (setq memcache--title (memcache--scope-name scope))
    (memcache--ask-turn buffer question connection memcache-method-ask params)
    buffer))

(defun memcache--show-answer (buffer)
  "Show BUFFER, with point at its end so that it follows."
  (pop-to-buffer buffer)
  (memcache--to-end))

(defun memcache--to-end ()
  "Go to the end of the current buffer, which is narrowed no more."
  (widen)
  (goto-char (point-max)))

;;;###autoload
(defun memcache-ask (question &optional scope)
  "Ask QUESTION about the project, and about what is at point.
What is selected, else the definition at point, is told as the place that the
question is about.  `memcache-scope' chooses what is asked; with a prefix
argument, read the SCOPE of this question alone."
  (interactive
   (let ((scope (if current-prefix-arg (memcache--read-scope) (memcache--scope))))
     (list (memcache--read-question
            (if (use-region-p)
                (memcache--prompt "Ask about the selection and" scope)
              (memcache--prompt "Ask about" scope)))
           scope)))
  (memcache--ask question (memcache--context) :scope (or scope (memcache--scope))))

;;;###autoload
(defun memcache-ask-follow-up (question)
  "Ask QUESTION in the thread of the latest answer, or of the one shown here."
  (interactive (progn
                 (memcache--answer-to-follow)
                 (list (memcache--read-question
                        (memcache--prompt "Follow up in" (memcache--scope))))))
  (let ((buffer (memcache--answer-to-follow)))
    (with-current-buffer buffer
      (let* ((scope (memcache--scope))
             (params (memcache-make-ask-params
                      :question question :thread-id memcache--thread :scope scope)))
        (memcache--show-answer buffer)
        (setq memcache--title (memcache--scope-name scope))
        (memcache--ask-turn buffer question (memcache--connect) memcache-method-ask params)))))

(defun memcache--answer-to-follow ()
  "Return the buffer whose thread can be gone on with, else say why not."
  (let ((buffer (memcache--latest-answer)))
    (cond ((not buffer) (user-error "There is no answer yet: ask with `memcache-ask' first"))
          ((memcache--busy buffer)
           (user-error "This answer is still being written: C-c C-k stops it")))
    buffer))

(defun memcache--latest-answer ()
  "Return the buffer of the latest answer, the current one before others."
  (cl-find-if (lambda (buffer)
                (and (eq (buffer-local-value 'major-mode buffer) 'memcache-answer-mode)
                     (buffer-local-value 'memcache--turns buffer)))
              (cons (current-buffer) (buffer-list))))

;;;###autoload
(defun memcache-explain ()
  "Explain what is selected, else the definition at point, else the file."
  (interactive)
  (let ((context (memcache--context)))
    (unless context
      (user-error "There is nothing to explain here: select some text first"))
    (memcache--ask (if (or (plist-get context :selection) (plist-get context :text))
                       (format "Explain this part of %s." (plist-get context :name))
                     (format "Explain %s." (plist-get context :name)))
                   context :intent "explain")))

;;;###autoload
(defun memcache-summarize-file ()
  "Summarize the current file."
  (interactive)
  (let ((context (memcache--context 'whole)))
    (unless context
      (user-error "This buffer has no file to summarize"))
    (memcache--ask (format "Summarize %s." (plist-get context :name))
                   context :intent "summarize")))

;;;###autoload
(defun memcache-callers ()
  "Ask for the callers of what is at point."
  (interactive)
  (let ((symbol (thing-at-point 'symbol t)))
    (unless symbol
      (user-error "There is no name at point"))
    (memcache--ask (format "What calls %s?" symbol) (memcache--context) :intent "callers")))

;;;; The mode

(defvar memcache-answer-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map "n" #'memcache-answer-next)
    (define-key map "p" #'memcache-answer-previous)
    (define-key map "\t" #'memcache-answer-next)
    (define-key map [backtab] #'memcache-answer-previous)
    (define-key map "\r" #'memcache-answer-open)
    (define-key map "o" #'memcache-answer-show)
    (define-key map "f" #'memcache-ask-follow-up)
    (define-key map "g" #'memcache-answer-again)
    (define-key map "c" #'memcache-answer-copy)
    (define-key map "e" #'memcache-answer-export)
    (define-key map "?" #'describe-mode)
    (define-key map "\C-c\C-k" #'memcache-answer-stop)
    (define-key map "q" #'memcache-answer-quit)
    map)
  "Keys in answers.")

(easy-menu-define memcache-answer-menu memcache-answer-mode-map
  "Menu in answers."
  '("Answer"
    ["Next citation" memcache-answer-next]
    ["Previous citation" memcache-answer-previous]
    ["Open citation" memcache-answer-open]
    "--"
    ["Follow up…" memcache-ask-follow-up :active (not (memcache--busy))]
    ["Ask again" memcache-answer-again :active (not (memcache--busy))]
    ["Stop" memcache-answer-stop :active (memcache--busy)]
    "--"
    ["Copy with links" memcache-answer-copy]
    ["Export to Org" memcache-answer-export]))

(define-derived-mode memcache-answer-mode special-mode "Answer"
  "Mode of buffers where answers are written.
Each [n] and each source is a button that leads to lines of a file.

\\{memcache-answer-mode-map}"
  :interactive nil
  (buffer-disable-undo)
  (setq-local header-line-format '(:eval (memcache--header))
              scroll-conservatively 101
              truncate-lines nil
              word-wrap t
              next-error-function #'memcache--next-error
              revert-buffer-function (lambda (&rest _) (memcache-answer-again)))
  (add-hook 'kill-buffer-hook #'memcache--answer-killed nil t)
  (add-hook 'post-command-hook #'memcache--preview-soon nil t))

(defun memcache--header ()
  "Return the header line: what is being done, or what can be done."
  (let ((turn (memcache--busy)))
    (concat " " (propertize (memcache--verbatim (or memcache--title "")) 'face 'bold) "  "
            (if turn
                (concat (memcache--verbatim (or (cdr (memcache--turn-stage turn)) "Asking"))
                        "  " (memcache--keys '("stop" . "C-c C-k")))
              (memcache--keys '("next" . "n") '("open" . "RET") '("follow up" . "f")
                              '("again" . "g") '("copy" . "c") '("quit" . "q"))))))

(defun memcache--keys (&rest keys)
  "Return KEYS, an alist of what they do and their names, as text."
  (mapconcat (lambda (key)
               (concat (propertize (cdr key) 'face 'help-key-binding) " " (car key)))
             keys "  "))

(defun memcache--answer-killed ()
  "Stop what is being written in the current buffer, which is killed."
  (mapc #'memcache--forget-turn memcache--turns)
  (memcache--end-preview))

;;;; Moving

(defvar memcache--preview-timer nil
  "Shows the citation at point a moment after a command.")

(defvar-local memcache--preview-at nil
  "Start of the button whose lines were shown last.")

(defun memcache-answer-next (&optional count)
  "Move COUNT citations on, and show the lines of the one there."
  (interactive "p")
  (condition-case nil
      (forward-button (or count 1) t)
    (error (user-error "There is no citation here")))
  (memcache--preview-here))

(defun memcache-answer-previous (&optional count)
  "Move COUNT citations back, and show the lines of the one there."
  (interactive "p")
  (memcache-answer-next (- (or count 1))))

(defun memcache--place-here ()
  "Return the place of the button at point, or nil."
  (when-let* ((button (button-at (point))))
    (memcache--button-place button)))

(defun memcache--preview-here ()
  "Show the lines of the citation at point, if that is wanted."
  (when-let* ((place (and memcache-preview (memcache--place-here))))
    (setq memcache--preview-at (button-start (button-at (point))))
    (memcache--preview place)))

(defun memcache--preview-soon ()
  "Show the lines of the citation at point when Emacs is idle."
  (let ((button (button-at (point))))
    (if (not button)
        (setq memcache--preview-at nil)
      (unless (or memcache--preview-timer (eql memcache--preview-at (button-start button)))
        (setq memcache--preview-timer
              (run-with-idle-timer
               0.15 nil
               (lambda (buffer)
                 (setq memcache--preview-timer nil)
                 (when (eq buffer (window-buffer))
                   (with-current-buffer buffer
                     (memcache--preview-here))))
               (current-buffer)))))))

(defun memcache-answer-open ()
  "Go to the lines of the citation at point."
  (interactive)
  (let ((place (memcache--place-here)))
    (unless place
      (user-error "There is no citation at point"))
    (memcache--end-preview)
    (memcache--open place t)))

(defun memcache-answer-show ()
  "Show the lines of the citation at point, without going there."
  (interactive)
  (let ((memcache-preview t))
    (memcache--preview-here)))

(defun memcache--next-error (&optional count reset)
  "Go to the lines of the citation COUNT on; with RESET count from the top."
  (when reset (goto-char (point-min)))
  (forward-button (or count 1) (not reset))
  (dolist (window (get-buffer-window-list nil nil t))
    (set-window-point window (point)))
  (memcache--open (memcache--place-here) t))

(defun memcache-answer-quit ()
  "Leave the answer; if it is being written, it is not stopped."
  (interactive)
  (memcache--end-preview)
  (quit-window))

;;;; Stopping and asking again

(defun memcache-answer-stop ()
  "Stop the answer that is being written; what is there stays."
  (interactive)
  (if-let* ((turn (memcache--busy)))
      (memcache--stop-turn turn)
    (user-error "Nothing is being written here")))

(defun memcache-answer-again ()
  "Ask the question at point once more."
  (interactive)
  (when (memcache--busy)
    (user-error "This answer is still being written"))
  (let* ((turn (memcache--turn-here))
         (connection (memcache--connect))
         (scope (or (memcache--turn-scope turn) (memcache--scope))))
    (memcache--to-end)
    (pcase-let ((`(,method ,params) (memcache--again turn connection scope)))
      (memcache--ask-turn (current-buffer) (memcache--turn-question turn) connection
                          method params scope))))

(defun memcache--again (turn connection scope)
  "Return method and params that ask TURN again of CONNECTION, at last in SCOPE.
One that did not come to its end is asked as it was."
  (cond ((and (memcache--turn-id turn) memcache--thread
              (eq connection (memcache--turn-connection turn))
              (memcache--offered-p memcache-method-threads connection))
         (list memcache-method-threads
               (memcache-make-threads-params :action "askAgain" :thread-id memcache--thread
                                             :turn-id (memcache--turn-id turn))))
        ((memcache--turn-params turn))
        (t (list memcache-method-ask
                 (memcache-make-ask-params :question (memcache--turn-question turn)
                                           :scope scope)))))

(provide 'memcache-ask)
;;; memcache-ask.el ends here
