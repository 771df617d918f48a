;;; memcache-eglot.el --- memcache-lsp by plain eglot  -*- lexical-binding: t; -*-

;; Eglot runs one server a buffer, so this is for modes that have no other: here those for text.
;; `M-x eglot' starts it; `M-x xref-find-apropos' searches the project by meaning, `M-x eglot-code-actions' explains the
;; region or asks about it, `M-x memcache-eglot-ask' asks, and `M-x memcache-eglot-add' adds a folder or file to a cache.

;;; Code:

(require 'eglot)
(require 'url-util)

(add-to-list 'eglot-server-programs '(text-mode . ("memcache-lsp" "serve")))

(defun memcache-eglot-run (command argument)
  "Run COMMAND of the server with ARGUMENT, and show what comes of it."
  (message "Asking ...")
  (jsonrpc-async-request
   (or (eglot-current-server) (user-error "Start eglot in this buffer first")) :workspace/executeCommand
   `(:command ,command :arguments [,argument])
   :timeout nil                         ; a model takes its time
   :success-fn (lambda (result)
                 (with-current-buffer (get-buffer-create "*memcache*")
                   (let ((inhibit-read-only t))
                     (erase-buffer)
                     (insert (plist-get result :markdown))
                     (goto-char (point-min)))
                   (view-mode 1)
                   (display-buffer (current-buffer))))
   :error-fn (lambda (problem) (message "%s" (plist-get problem :message)))))

(defun memcache-eglot-ask (question &optional cache)
  "Ask QUESTION about this project, or about CACHE, and show the answer.
Interactively, a prefix argument asks for the cache."
  (interactive (list (read-string "Ask: ") (and current-prefix-arg (read-string "Cache: "))))
  (memcache-eglot-run "memcache.ask" `(:question ,question ,@(and cache `(:scope (:caches [,cache]))))))

(defun memcache-eglot-add (path name)
  "Add the folder or file PATH to the cache NAME, and show all caches."
  (interactive (let ((path (read-file-name "Folder or file: ")))
                 (list path (read-string "Cache: " (file-name-nondirectory (directory-file-name path))))))
  (let* ((full (directory-file-name (expand-file-name path)))
         (uri (concat "file://" (url-hexify-string full url-path-allowed-chars))))
    (memcache-eglot-run "memcache.caches" `(:action "add" :name ,name :uris [,uri]))))

(provide 'memcache-eglot)
;;; memcache-eglot.el ends here
