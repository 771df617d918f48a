;;; memcache-eglot.el --- memcache-lsp by plain eglot  -*- lexical-binding: t; -*-

;; Eglot runs one server a buffer, so this is for modes that have no other: here those for text.
;; `M-x eglot' starts it; `M-x xref-find-apropos' searches the project by meaning, `M-x eglot-code-actions' explains the
;; region or asks about it, and `M-x memcache-eglot-ask' asks.

;;; Code:

(require 'eglot)

(add-to-list 'eglot-server-programs '(text-mode . ("memcache-lsp" "serve")))

(defun memcache-eglot-ask (question)
  "Ask QUESTION about this project, and show the answer."
  (interactive "sAsk: ")
  (message "Asking ...")
  (jsonrpc-async-request
   (eglot-current-server) :workspace/executeCommand
   `(:command "memcache.ask" :arguments [(:question ,question)])
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

(provide 'memcache-eglot)
;;; memcache-eglot.el ends here
