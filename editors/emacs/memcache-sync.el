;;; memcache-sync.el --- Tell the server of unsaved buffers  -*- lexical-binding: t; -*-

;; Copyright (c) 2026 The memcache-lsp authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Owns what the server knows of buffers.  One that is as its file needs no
;; word; a buffer with `memcache-mode' that is modified is told whole, and from
;; then on by its edits.  All is told before the next request, or when Emacs
;; has been idle for a moment.
;;
;; Edits are gathered by the change hooks.  These do not see everything: an
;; indirect buffer changes its base's text without them.  Therefore the
;; modification tick, which they share, is compared before anything is told,
;; and the whole text is sent where it moved by itself.

;;; Code:

(require 'memcache-core)

(defconst memcache--sync-limit 1048576
  "Larger buffers are searched as they are on disk, in characters.")

(defconst memcache--sync-edits 200
  "With more edits than this at once, the whole text is sent.")

(defvar memcache--buffers nil
  "Buffers that take part.")

(defvar memcache--sync-timer nil
  "Tells edits when Emacs is idle.")

(cl-defstruct (memcache--document (:copier nil))
  "What the server knows of a buffer.
EDITS are those it does not know yet, latest first, or t for the whole text;
BEFORE is what the next edit will replace."
  connection uri (version 0) tick edits before)

(defvar-local memcache--document nil
  "What the server knows of this buffer, nil for nothing.")

;;;; The buffers

(defun memcache--take-part ()
  "Have the current buffer take part."
  (cl-pushnew (current-buffer) memcache--buffers)
  (add-hook 'before-change-functions #'memcache--before-change nil t)
  (add-hook 'after-change-functions #'memcache--after-change nil t)
  (add-hook 'after-save-hook #'memcache--saved nil t)
  (add-hook 'kill-buffer-hook #'memcache--part nil t)
  (add-hook 'change-major-mode-hook #'memcache--part nil t))

(defun memcache--part ()
  "Have the current buffer take part no more."
  (setq memcache--buffers (delq (current-buffer) memcache--buffers))
  (memcache--close-document)
  (remove-hook 'before-change-functions #'memcache--before-change t)
  (remove-hook 'after-change-functions #'memcache--after-change t)
  (remove-hook 'after-save-hook #'memcache--saved t)
  (remove-hook 'kill-buffer-hook #'memcache--part t)
  (remove-hook 'change-major-mode-hook #'memcache--part t))

(defun memcache--known-p (connection)
  "Tell whether the current buffer's file is one that CONNECTION serves."
  (and buffer-file-name
       enable-multibyte-characters
       (equal (memcache--host) (oref connection host))
       (member (memcache-root) (oref connection roots))))

;;;; Edits

(defun memcache--before-change (start end)
  "Note that START to END of the current buffer are going to change."
  (when (and memcache--document
             (not (eq (memcache--document-edits memcache--document) t)))
    (if (eql (memcache--document-tick memcache--document)
             (buffer-chars-modified-tick))
        (setf (memcache--document-before memcache--document)
              (list start (- end start) (memcache--range start end)))
      (setf (memcache--document-edits memcache--document) t))))

(defun memcache--after-change (start end length)
  "Note that START to END of the current buffer replaced LENGTH characters."
  (when memcache--document
    (let* ((document memcache--document)
           (before (memcache--document-before document)))
      (unless (eq (memcache--document-edits document) t)
        (if (and before
                 (eql (nth 0 before) start)
                 (eql (nth 1 before) length)
                 (< (length (memcache--document-edits document)) memcache--sync-edits))
            (push (list :range (nth 2 before)
                        :text (memcache--text start end))
                  (memcache--document-edits document))
          (setf (memcache--document-edits document) t)))
      (setf (memcache--document-before document) nil
            (memcache--document-tick document) (buffer-chars-modified-tick))))
  (unless memcache--sync-timer
    (setq memcache--sync-timer
          (run-with-idle-timer 0.5 nil #'memcache--sync-all))))

(defun memcache--text (start end)
  "Return the text from START to END; what is no character becomes U+FFFD."
  (save-restriction
    (widen)
    (memcache--clean (buffer-substring-no-properties start end))))

(defun memcache--clean (text)
  "Return TEXT with what JSON cannot carry replaced, character for character."
  (if (string-match-p "[^\0-\ud7ff\ue000-\U0010ffff]" text)
      (concat (mapcar (lambda (char)
                        (if (or (> char #x10ffff) (<= #xd800 char #xdfff)) #xfffd char))
                      text))
    text))

;;;; Telling

(defun memcache--sync-all ()
  "Tell every server what changed."
  (setq memcache--sync-timer nil)
  (pcase-dolist (`(_ . ,connection) memcache--connections)
    (when (eq (oref connection state) 'ready)
      (memcache--guard #'memcache--sync connection))))

(defun memcache--sync (connection)
  "Tell CONNECTION what changed in the buffers that it serves."
  (dolist (buffer memcache--buffers)
    (if (not (buffer-live-p buffer))
        (setq memcache--buffers (delq buffer memcache--buffers))
      (with-current-buffer buffer
        (cond (memcache--document (memcache--tell-document connection))
              ((and (buffer-modified-p) (memcache--known-p connection)
                    (<= (buffer-size) memcache--sync-limit))
               (memcache--open-document connection)))))))

(defun memcache--open-document (connection)
  "Tell CONNECTION the whole text of the current buffer."
  (let ((uri (memcache--uri buffer-file-name)))
    (setq memcache--document
          (make-memcache--document :connection connection :uri uri
                                   :tick (buffer-chars-modified-tick)))
    (jsonrpc-notify
     connection :textDocument/didOpen
     (list :textDocument
           (list :uri uri :languageId (memcache--language) :version 0
                 :text (memcache--whole-text))))))

(defun memcache--tell-document (connection)
  "Tell CONNECTION how the current buffer, which it knows, changed."
  (let ((document memcache--document))
    (when (eq (memcache--document-connection document) connection)
      (if (not (and buffer-file-name
                    (equal (memcache--document-uri document)
                           (memcache--uri buffer-file-name))))
          (memcache--close-document)    ; it has another name now
        (unless (eql (memcache--document-tick document) (buffer-chars-modified-tick))
          (setf (memcache--document-edits document) t))
        (when (memcache--document-edits document)
          (memcache--tell-edits document))))))

(defun memcache--tell-edits (document)
  "Tell the edits of the current buffer, which is DOCUMENT."
  (let ((edits (memcache--document-edits document)))
    (setf (memcache--document-edits document) nil
          (memcache--document-tick document) (buffer-chars-modified-tick))
    (if (> (buffer-size) memcache--sync-limit)
        (memcache--close-document)
      (jsonrpc-notify
       (memcache--document-connection document) :textDocument/didChange
       (list :textDocument
             (list :uri (memcache--document-uri document)
                   :version (cl-incf (memcache--document-version document)))
             :contentChanges
             (if (eq edits t)
                 (vector (list :text (memcache--whole-text)))
               (vconcat (reverse edits))))))))

(defun memcache--close-document ()
  "Have the server take the current buffer's file as it is on disk."
  (when-let* ((document memcache--document))
    (setq memcache--document nil)
    (let ((connection (memcache--document-connection document)))
      (when (and (jsonrpc-running-p connection)
                 (eq (oref connection state) 'ready))
        (memcache--guard
         #'jsonrpc-notify connection :textDocument/didClose
         (list :textDocument (list :uri (memcache--document-uri document))))))))

(defun memcache--saved ()
  "Hint that the current buffer's file changed."
  (when-let* ((connection (memcache--live)))
    (when (and (eq (oref connection state) 'ready) (memcache--known-p connection))
      (memcache--guard #'jsonrpc-notify connection :textDocument/didSave
                       (list :textDocument
                             (list :uri (memcache--uri buffer-file-name)))))))

(defun memcache--whole-text ()
  "Return all text of the current buffer, narrowed or not."
  (memcache--text 1 (1+ (buffer-size))))

(defun memcache--language ()
  "Return the language of the current buffer as servers call it."
  (replace-regexp-in-string "\\(?:-ts\\)?-mode\\'" "" (symbol-name major-mode)))

(defun memcache--forget-documents (connection)
  "Forget what CONNECTION, which ended, knew of buffers."
  (dolist (buffer memcache--buffers)
    (when (buffer-live-p buffer)
      (with-current-buffer buffer
        (when (and memcache--document
                   (eq (memcache--document-connection memcache--document) connection))
          (setq memcache--document nil))))))

(add-hook 'memcache--before-request-functions #'memcache--sync)
(add-hook 'memcache--lost-functions #'memcache--forget-documents)

(provide 'memcache-sync)
;;; memcache-sync.el ends here
