;;; memcache-markdown.el --- Markdown that grows  -*- lexical-binding: t; -*-

;; Copyright (c) 2026 The memcache-lsp authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Owns the looks of Markdown while it comes in.  The text itself is left as it
;; is: offsets in it are the server's too.
;;
;; Each line is done once when it is complete, and the last one, as far as it
;; is there, each time.  Code is given to a hidden buffer in its language's
;; mode, of which there is one a mode; only lines that are new there are looked
;; at.  A mode that was never loaded is loaded when Emacs is idle.

;;; Code:

(require 'cl-lib)
(require 'subr-x)

(defface memcache-code '((t :inherit fixed-pitch))
  "Face of code in answers."
  :group 'memcache)

(defface memcache-inline-code '((t :inherit (fixed-pitch font-lock-constant-face)))
  "Face of code within a line of an answer."
  :group 'memcache)

(defconst memcache--code-limit 20000
  "Longer blocks of code stay without colours, in characters.")

(defconst memcache--line-limit 1000
  "Longer lines are done in parts, in characters.")

(defconst memcache--code-modes
  '(("bash" . sh-mode) ("shell" . sh-mode) ("console" . sh-mode) ("zsh" . sh-mode)
    ("javascript" . js-mode) ("jsx" . js-mode) ("json" . js-mode)
    ("cpp" . c++-mode) ("csharp" . csharp-mode) ("py" . python-mode)
    ("rb" . ruby-mode) ("rs" . rust-mode) ("ts" . typescript-mode)
    ("elisp" . emacs-lisp-mode) ("html" . mhtml-mode) ("xml" . nxml-mode)
    ("toml" . conf-toml-mode) ("ini" . conf-unix-mode) ("make" . makefile-mode)
    ("yml" . yaml-mode) ("md" . text-mode) ("markdown" . text-mode) ("text" . text-mode))
  "Modes of languages that are not called like them.")

(cl-defstruct (memcache--markdown (:copier nil))
  "How far Markdown is done: FROM where on, and the open block of code.
LANGUAGE is nil outside of code; CODE is where its text begins, CODED where
the part begins that has no colours yet."
  from language code coded)

;;;; Lines

(defmacro memcache--widened (&rest body)
  "Evaluate BODY in the whole of the current buffer; point and narrowing stay."
  (declare (indent 0) (debug t))
  `(save-excursion (save-restriction (widen) ,@body)))

(defun memcache--markdown-start (position)
  "Return the state of Markdown that begins at POSITION."
  (make-memcache--markdown :from (copy-marker position)))

(defun memcache--markdown-advance (state end final marks)
  "Fontify what came since STATE up to END; FINAL if nothing follows.
MARKS is called with start and end of each stretch that is not code."
  (with-silent-modifications
    (save-excursion
      (goto-char (memcache--markdown-from state))
      (let ((done nil))
        (while (and (not done) (< (point) end))
          (let* ((start (point))
                 (whole (and (search-forward "\n" end 'move) t)))
            (memcache--markdown-line state start (point) (or whole final) marks)
            (if whole
                (set-marker (memcache--markdown-from state) (point))
              (setq done t)
              (memcache--markdown-bound state start end)))))
      (when (memcache--markdown-language state)
        (memcache--code-advance state (if final end (marker-position
                                                     (memcache--markdown-from state))))))))

(defun memcache--markdown-bound (state start end)
  "Have STATE be done with most of the line from START to END if it is long.
So the work for each piece of a line stays the same however long it gets."
  (when (> (- end start) memcache--line-limit)
    (goto-char (- end 100))
    (when (re-search-backward "[[:alpha:].,] [[:alpha:]]" start t)
      (set-marker (memcache--markdown-from state) (1+ (point))))))

(defun memcache--markdown-line (state start end complete marks)
  "Fontify the line from START to END by STATE.
Only a COMPLETE line changes STATE.  MARKS as in `memcache--markdown-advance'."
  (remove-text-properties start end '(face nil))
  (goto-char start)
  (cond
   ((and (bolp) (looking-at "[ \t]*```[ \t]*\\([^ \t\n`]*\\)[^`\n]*$"))
    (put-text-property start end 'face 'shadow)
    (when complete
      (memcache--markdown-fence state (match-string-no-properties 1) start end)))
   ((memcache--markdown-language state)
    (put-text-property start end 'face 'memcache-code))
   (t (memcache--markdown-prose start end marks)))
  (goto-char end))

(defun memcache--markdown-fence (state language start end)
  "Open or close code in STATE at the fence from START to END with LANGUAGE."
  (if (memcache--markdown-language state)
      (progn (memcache--code-advance state start)
             (setf (memcache--markdown-language state) nil))
    (setf (memcache--markdown-language state) (downcase language)
          (memcache--markdown-code state) (copy-marker end)
          (memcache--markdown-coded state) (copy-marker end))))

(defun memcache--markdown-prose (start end marks)
  "Fontify the line of text from START to END.
MARKS as in `memcache--markdown-advance'."
  (cond ((not (bolp)))
        ((looking-at "#\\{1,6\\} .*")
         (put-text-property start end 'face 'bold))
        ((looking-at "[ \t]*\\(>\\|[-*+]\\|[0-9]+[.)]\\) ")
         (put-text-property (match-beginning 1) (match-end 1) 'face 'font-lock-keyword-face)))
  (let ((from start))
    (while (re-search-forward "\\(`+\\)[^\n]+?\\1\\|\\(\\*\\*\\|__\\)[^\n *_][^\n]*?\\2\\|\\*[^ \n*][^\n*]*\\*" end t)
      (let ((code (match-beginning 1)))
        (add-face-text-property (match-beginning 0) (match-end 0)
                                (cond (code 'memcache-inline-code)
                                      ((match-beginning 2) 'bold)
                                      (t 'italic))
                                t)
        (when code
          (save-match-data (funcall marks from (match-beginning 0)))
          (setq from (match-end 0))
          (goto-char from))))
    (funcall marks from end)))

;;;; Code in its language

(defvar memcache--code-buffers nil
  "Alist of mode and the buffer in it.")

(defvar memcache--code-wanted nil
  "Alist of mode to be loaded and what to call then.")

(defvar-local memcache--code-owner nil
  "The marker at whose position the code in this buffer begins.")

(defun memcache--code-mode (language)
  "Return the mode for LANGUAGE, nil where there is none."
  (let ((mode (or (cdr (assoc language memcache--code-modes))
                  (intern (concat language "-mode")))))
    (and (not (string-empty-p language)) (fboundp mode) (not (eq mode 'text-mode)) mode)))

(defun memcache--code-advance (state end)
  "Colour the code of STATE that came up to END."
  (when-let* ((mode (memcache--code-mode (memcache--markdown-language state))))
    (when (and (< (memcache--markdown-coded state) end)
               (< (- end (memcache--markdown-code state)) memcache--code-limit))
      (if-let* ((buffer (alist-get mode memcache--code-buffers)))
          (memcache--code-colour state end buffer)
        (memcache--code-want mode (memcache--code-redo state))))))

(defun memcache--code-redo (state)
  "Return what colours the code of STATE, as it is then, from the start."
  (let ((block (memcache--markdown-block state))
        (buffer (current-buffer)))
    (lambda ()
      (when (and (buffer-live-p buffer) (marker-position (memcache--markdown-code block)))
        (with-current-buffer buffer
          (with-silent-modifications
            (memcache--widened
              (goto-char (memcache--markdown-code block))
              (let ((end (if (re-search-forward "^[ \t]*```[ \t]*$" nil t)
                             (match-beginning 0)
                           (line-beginning-position))))
                (memcache--code-advance block end)
                (when (eq (memcache--markdown-code state) (memcache--markdown-code block))
                  (set-marker (memcache--markdown-coded state)
                              (memcache--markdown-coded block)))))))))))

(defun memcache--markdown-block (state)
  "Return a state with the block of code that is open in STATE, not begun."
  (make-memcache--markdown
   :language (memcache--markdown-language state)
   :code (memcache--markdown-code state)
   :coded (copy-marker (memcache--markdown-code state))))

(defun memcache--code-want (mode redo)
  "Load MODE when Emacs is idle, and call REDO then."
  (unless memcache--code-wanted
    (run-with-idle-timer 0.3 nil #'memcache--code-load))
  (push (cons mode redo) memcache--code-wanted))

(defun memcache--code-load ()
  "Load the modes that are wanted."
  (let ((wanted (nreverse memcache--code-wanted)))
    (setq memcache--code-wanted nil)
    (pcase-dolist (`(,mode . ,redo) wanted)
      (unless (alist-get mode memcache--code-buffers)
        (push (cons mode (memcache--code-buffer mode)) memcache--code-buffers))
      (funcall redo))))

(defun memcache--code-buffer (mode)
  "Return a hidden buffer in MODE, without its hooks."
  (with-current-buffer (get-buffer-create (format " *memcache %s*" mode))
    (buffer-disable-undo)
    (let ((inhibit-message t) (message-log-max nil))
      (with-demoted-errors "Memcache: %S"
        (delay-mode-hooks (funcall mode))
        (font-lock-set-defaults)))
    (current-buffer)))

(defun memcache--code-colour (state end buffer)
  "Colour the code of STATE up to END with the help of BUFFER."
  (let* ((owner (memcache--markdown-code state))
         (known (with-current-buffer buffer
                  (and (eq memcache--code-owner owner) (buffer-size))))
         (coded (if (eql known (- (memcache--markdown-coded state) owner))
                    (marker-position (memcache--markdown-coded state))
                  (marker-position owner)))
         (text (buffer-substring-no-properties coded end)))
    (pcase-dolist (`(,from ,to ,face)
                   (with-current-buffer buffer
                     (memcache--code-faces owner text (= coded owner))))
      (put-text-property (+ coded from) (+ coded to) 'face
                         (append (ensure-list face) '(memcache-code))))
    (set-marker (memcache--markdown-coded state) end)))

(defun memcache--code-faces (owner text fresh)
  "Add TEXT of OWNER to the code in this buffer, FRESH if it is the first of it.
Return a list of start, end and face within TEXT."
  (when fresh
    (erase-buffer)
    (setq memcache--code-owner owner))
  (goto-char (point-max))
  (let ((start (point)) (faces nil))
    (insert text)
    (with-demoted-errors "Memcache: %S"
      (let ((font-lock-verbose nil))
        (font-lock-fontify-region start (point-max))))
    (let ((at start))
      (while (< at (point-max))
        (let ((next (next-single-property-change at 'face nil (point-max)))
              (face (get-text-property at 'face)))
          (when face
            (push (list (- at start) (- next start) face) faces))
          (setq at next))))
    faces))

(provide 'memcache-markdown)
;;; memcache-markdown.el ends here
