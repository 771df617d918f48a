;;; memcache-lists.el --- Status, threads and models  -*- lexical-binding: t; -*-

;; Copyright (c) 2026 The memcache-lsp authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Owns the lists of what the server has, and what can be done with it: threads
;; of earlier questions, models; its status, and the index.  That of caches, which
;; is such a list, is in memcache-caches.el.

;;; Code:

(require 'cl-lib)
(require 'subr-x)
(require 'parse-time)
(require 'tabulated-list)
(require 'memcache-ask)

;;;; Lists in general

(defvar-local memcache--list nil
  "Plist of the list in this buffer: `:connection', `:method', `:items', `:row'.")

(defvar memcache-list-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map "g" #'memcache-list-refresh)
    map)
  "Keys in all lists.")

(define-derived-mode memcache-list-mode tabulated-list-mode "Memcache"
  "Mode of lists of what the server has."
  :interactive nil
  (setq-local revert-buffer-function (lambda (&rest _) (memcache-list-refresh))))

(defun memcache--show-list (name mode list)
  "Show the buffer NAME in MODE with the items of LIST, a plist, when they come."
  (let* ((connection (memcache--connect))
         (directory default-directory)
         (buffer (get-buffer-create name)))
    (with-current-buffer buffer
      (funcall mode)
      (setq default-directory directory
            memcache--list (append (list :connection connection) list))
      (memcache--list-call "list" nil))
    (pop-to-buffer buffer)))

(defun memcache--list-call (action arguments &optional after)
  "Do ACTION with ARGUMENTS by the method of this list, and show what is left.
AFTER is called with the result instead, where there is one."
  (let ((buffer (current-buffer))
        (connection (plist-get memcache--list :connection)))
    (unless (eq connection (memcache--live))
      (setq connection (memcache--connect))
      (plist-put memcache--list :connection connection))
    (memcache--request
     connection (plist-get memcache--list :method)
     (append (list :action action) arguments)
     :success (lambda (result)
                (when (buffer-live-p buffer)
                  (with-current-buffer buffer
                    (if after (funcall after result)
                      (memcache--fill-list result))))))))

(defun memcache--fill-list (result)
  "Show the items in RESULT; each window stays at the one where it is."
  (let ((entries (mapcar (plist-get memcache--list :row)
                         (funcall (plist-get memcache--list :items) result)))
        (there (cl-loop for window in (get-buffer-window-list nil nil t)
                        unless (eq window (selected-window))
                        collect (cons window (tabulated-list-get-id (window-point window))))))
    (unless (and entries (equal entries tabulated-list-entries))
      (setq tabulated-list-entries entries)
      (tabulated-list-print t)
      (pcase-dolist (`(,window . ,item) there)
        (set-window-point window (memcache--list-line item))))))

(defun memcache--list-line (item)
  "Return where the line of ITEM begins; without one it is the first."
  (save-excursion
    (goto-char (point-min))
    (while (not (or (eobp) (equal (tabulated-list-get-id) item)))
      (forward-line 1))
    (if (eobp) (point-min) (point))))

(defun memcache-list-refresh ()
  "Show what there is now."
  (interactive)
  (memcache--list-call "list" nil))

(defun memcache--list-item ()
  "Return the name of the item at point."
  (or (tabulated-list-get-id)
      (user-error "There is nothing on this line")))

;;;; Threads

(defvar memcache-threads-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map "\r" #'memcache-threads-open)
    (define-key map "d" #'memcache-threads-delete)
    map)
  "Keys in the list of threads.")

(define-derived-mode memcache-threads-mode memcache-list-mode "Threads"
  "Mode of the list of earlier questions.

\\{memcache-threads-mode-map}"
  :interactive nil
  (setq tabulated-list-format [("Asked" 17 t) ("Question" 0 t)]
        tabulated-list-sort-key '("Asked" . t))
  (tabulated-list-init-header))

;;;###autoload
(defun memcache-threads ()
  "List earlier questions."
  (interactive)
  (memcache--show-list
   "*memcache threads*" #'memcache-threads-mode
   (list :method memcache-method-threads
         :items #'memcache-threads-result-threads
         :row (lambda (thread)
                (list (memcache-thread-thread-id thread)
                      (vector (memcache--when (memcache-thread-updated thread))
                              (memcache-thread-title thread)))))))

(defun memcache--when (time)
  "Return TIME, which is in UTC, as it is here."
  (condition-case nil
      (format-time-string "%Y-%m-%d %H:%M" (parse-iso8601-time-string time))
    (error time)))

(defun memcache--show-thread (thread connection)
  "Show THREAD, which CONNECTION gave, as if it had been asked just now."
  (let ((buffer (memcache--new-buffer)))
    (with-current-buffer buffer
      (setq memcache--thread (memcache-thread-thread-id thread))
      (dolist (told (memcache-thread-turns thread))
        (let ((turn (memcache--new-turn (memcache-turn-question told) connection)))
          (setf (memcache--turn-id turn) (memcache-turn-turn-id told))
          (memcache--writing
            (memcache--write-whole turn (memcache-turn-answer told)
                                   (memcache-turn-citations told))
            (memcache--end-turn turn 'done
                                (pcase (memcache-turn-finish-reason told)
                                  ("no_answer" "The project had no answer to this.")
                                  ('nil "Stopped.")
                                  (_ "")))))))
    (memcache--show-answer buffer)))

(defun memcache-threads-open ()
  "Show the thread at point."
  (interactive)
  (memcache--list-call
   "get" (list :threadId (memcache--list-item))
   (lambda (result)
     (when-let* ((thread (car (memcache-threads-result-threads result))))
       (memcache--show-thread thread (plist-get memcache--list :connection))))))

(defun memcache-threads-delete ()
  "Forget the thread at point."
  (interactive)
  (let ((thread (memcache--list-item)))
    (when (y-or-n-p "Forget this question and its answers? ")
      (memcache--list-call "delete" (list :threadId thread)
                           (lambda (_) (memcache-list-refresh))))))

;;;; Models

(defvar memcache-models-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map "\r" #'memcache-models-use)
    (define-key map "u" #'memcache-models-use)
    (define-key map "f" #'memcache-models-fetch)
    (define-key map "x" #'memcache-models-unload)
    (define-key map "d" #'memcache-models-remove)
    map)
  "Keys in the list of models.")

(define-derived-mode memcache-models-mode memcache-list-mode "Models"
  "Mode of the list of language models.

\\{memcache-models-mode-map}"
  :interactive nil
  (setq tabulated-list-format [("" 2 t) ("Model" 40 t) ("Size" 10 nil :right-align t)
                               ("Here" 5 t)])
  (tabulated-list-init-header))

;;;###autoload
(defun memcache-models ()
  "List the language models."
  (interactive)
  (memcache--show-list
   "*memcache models*" #'memcache-models-mode
   (list :method memcache-method-models
         :items #'memcache-models-result-models
         :row (lambda (model)
                (list (memcache-model-name model)
                      (vector (if (memcache-model-used model) "*" "")
                              (memcache-model-name model)
                              (file-size-human-readable (memcache-model-size-bytes model))
                              (if (memcache-model-fetched model) "yes" "no")))))))

(defun memcache--models-do (action)
  "Do ACTION with the model at point."
  (memcache--list-call action (list :name (memcache--list-item))))

(defun memcache-models-use ()
  "Have the model at point answer."
  (interactive)
  (memcache--models-do "use"))

(defun memcache-models-fetch ()
  "Fetch the model at point."
  (interactive)
  (when (y-or-n-p (format "Fetch %s? " (memcache--list-item)))
    (message "Fetching…")
    (memcache--models-do "pull")))

(defun memcache-models-unload ()
  "Take the model out of memory."
  (interactive)
  (memcache--list-call "unload" nil))

(defun memcache-models-remove ()
  "Remove the model at point from this machine."
  (interactive)
  (when (y-or-n-p (format "Remove %s from this machine? " (memcache--list-item)))
    (memcache--models-do "remove")))

;;;; Status

(define-derived-mode memcache-status-mode special-mode "Memcache"
  "Mode of the buffer that tells what the server is at."
  :interactive nil
  (setq-local revert-buffer-function (lambda (&rest _) (memcache-status))))

;;;###autoload
(defun memcache-status ()
  "Show what the server is at."
  (interactive)
  (let ((connection (memcache--connect))
        (directory default-directory))
    (memcache--request
     connection memcache-method-status nil
     :success (lambda (status)
                (with-current-buffer (get-buffer-create "*memcache status*")
                  (unless (derived-mode-p 'memcache-status-mode)
                    (memcache-status-mode))
                  (setq default-directory directory)
                  (let ((inhibit-read-only t) (at (point)))
                    (erase-buffer)
                    (memcache--insert-status status)
                    (goto-char (min at (point-max))))
                  (display-buffer (current-buffer)))))))

(defun memcache--insert-status (status)
  "Insert STATUS in words."
  (let ((message (memcache-status-result-message status))
        (model (memcache-status-result-model status)))
    (insert (propertize (format "memcache-lsp %s" (memcache-status-result-version status))
                        'face 'bold)
            (format "  %s, process %d, %s\n"
                    (if (equal (memcache-status-result-mode status) "daemon")
                        "one daemon for all editors" "a server for this Emacs")
                    (memcache-status-result-pid status)
                    (file-size-human-readable (memcache-status-result-memory-bytes status))))
    (when message
      (insert (propertize message 'face 'warning) "\n"))
    (insert "\nProjects\n")
    (mapc #'memcache--insert-root (memcache-status-result-roots status))
    (when-let* ((caches (memcache-status-result-caches status)))
      (insert "\nCaches\n")
      (mapc #'memcache--insert-cache caches))
    (insert "\nModel\n  "
            (if model (format "%s: %s" (memcache-model-status-name model)
                              (memcache-model-status-state model))
              "none: answers are quotations")
            "\n\nProcesses\n")
    (dolist (worker (memcache-status-result-workers status))
      (insert (format "  %s: %s%s\n" (memcache-worker-status-name worker)
                      (memcache-worker-status-state worker)
                      (if-let* ((bytes (memcache-worker-status-memory-bytes worker)))
                          (concat ", " (file-size-human-readable bytes))
                        ""))))
    (insert "\nConnected\n")
    (dolist (session (memcache-status-result-sessions status))
      (insert (format "  %s\n" (memcache-session-status-client session))))
    (dolist (sentence (memcache-status-result-outside status))
      (insert "\n" (propertize sentence 'face 'warning) "\n"))))

(defun memcache--insert-root (root)
  "Insert ROOT of the status in words."
  (insert "  " (memcache--file (memcache-root-status-uri root) nil) "\n")
  (memcache--insert-index
   (memcache-root-status-state root) (memcache-root-status-files root)
   (memcache-root-status-chunks root) (memcache-root-status-size-bytes root)
   (memcache-root-status-message root) (memcache-root-status-failed root)))

(defun memcache--insert-cache (cache)
  "Insert CACHE in words: its places, its index and what failed."
  (insert "  " (memcache-cache-name cache)
          (if (memcache-cache-reading cache) ", a reading folder" "") "\n")
  (dolist (place (memcache-cache-places cache))
    (insert "    " (memcache--file (memcache-cache-place-uri place) nil)
            (if-let* ((since (memcache-cache-place-offline-since place)))
                (propertize (format ", offline since %s" (memcache--when since)) 'face 'warning)
              "")
            (if-let* ((message (memcache-cache-place-message place)))
                (propertize (concat "\n      " message) 'face 'warning)
              "")
            "\n"))
  (memcache--insert-index
   (memcache-cache-state cache) (memcache-cache-files cache) (memcache-cache-chunks cache)
   (memcache-cache-size-bytes cache) (memcache-cache-message cache) (memcache-cache-failed cache)))

(defun memcache--insert-index (state files chunks bytes message failed)
  "Insert the STATE of an index with FILES and CHUNKS, of BYTES on disk.
MESSAGE is a sentence, FAILED a list of files and why; each may be nil."
  (insert (format "    %s: %d of %d files, %d pieces%s\n" state
                  (memcache-file-counts-done files) (memcache-file-counts-total files) chunks
                  (if bytes (concat ", " (file-size-human-readable bytes)) "")))
  (when message
    (insert "    " (propertize message 'face 'warning) "\n"))
  (dolist (problem failed)
    (insert (format "    %s: %s\n" (memcache-file-problem-path problem)
                    (memcache-file-problem-reason problem)))))

;;;; The index

;;;###autoload
(defun memcache-index (action)
  "Do ACTION with the project's index: start, pause, resume, cancel or rebuild it."
  (interactive (list (memcache--read-index-action (memcache--project-name) '("drop"))))
  (memcache--request
   (memcache--connect) memcache-method-index
   (memcache-make-index-params :action action :root (memcache--uri (memcache-root)))
   :success (lambda (result)
              (dolist (root (memcache-index-result-roots result))
                (message "Memcache: %s is %s"
                         (memcache--file (memcache-root-state-uri root) nil)
                         (memcache-root-state-state root))))))

(defun memcache--read-index-action (name &optional more)
  "Read what to do with the index of NAME, also one of MORE.
What throws it away has to be confirmed."
  (let ((action (completing-read (format "Index of %s: " name)
                                 (append '("start" "pause" "resume" "cancel" "rebuild") more)
                                 nil t)))
    (unless (or (member action '("start" "pause" "resume" "cancel"))
                (y-or-n-p (format "%s the index of %s? " (capitalize action) name)))
      (user-error "The index of %s stays as it is" name))
    action))

;;;###autoload
(defun memcache-why ()
  "Tell why the current file is in the index or not."
  (interactive)
  (let ((file (or (memcache--buffer-file)
                  (user-error "This buffer has no file"))))
    (memcache--request
     (memcache--connect) memcache-method-explain
     (memcache-make-explain-params
      :text-document (memcache-make-text-document-identifier :uri (memcache--uri file)))
     :success (lambda (result)
                (message "%s" (memcache-explain-result-reason result))))))

;;;###autoload
(defun memcache-stop ()
  "End the session with the server of this buffer's machine.
The next command begins another one."
  (interactive)
  (if-let* ((connection (memcache--live)))
      (progn (memcache--leave connection)
             (message "Memcache: the session is ended"))
    (message "Memcache: there is no session")))

(provide 'memcache-lists)
;;; memcache-lists.el ends here
