;;; notes.el --- Take notes  -*- lexical-binding: t -*-

;;; Commentary:

;; Short notes in one file.

;;; Code:

(require 'cl-lib)

(defgroup notes nil
  "Short notes."
  :group 'convenience)

(defcustom notes-file "~/notes.txt"
  "Where notes are kept."
  :type 'file)

(defvar notes--buffer nil)
(defconst notes-version "1.0")

(defface notes-title '((t :weight bold))
  "Face of titles.")

;; The form below is what most commands use.
(defmacro notes-with-file (&rest body)
  "Run BODY in the buffer of `notes-file'."
  `(with-current-buffer (find-file-noselect notes-file)
     ,@body))

;;;###autoload
(defun notes-add (text)
  "Add TEXT as a note."
  (interactive "sNote: ")
  (notes-with-file
   (goto-char (point-max))
   (unless (bolp)
     (insert "\n"))
   (insert (format-time-string "%F ")
           text
           "\n")
   (save-buffer)
   (when notes--buffer
     (with-current-buffer notes--buffer
       (revert-buffer)))))

(cl-defun notes-search (query &key (limit 10))
  (notes-with-file
   (re-search-forward query nil t limit)))

(cl-defstruct notes-entry date text)

(define-minor-mode notes-mode
  "Take notes everywhere."
  :lighter " N")

(define-derived-mode notes-list-mode special-mode "Notes")

(cl-defmethod notes-show ((entry notes-entry))
  (message "%s" (notes-entry-text entry)))

(defalias 'notes-new #'notes-add)

(provide 'notes)
;;; notes.el ends here
