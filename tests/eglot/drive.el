;;; drive.el --- drive plain eglot by the example's set-up  -*- lexical-binding: t; -*-

;; Run by test_other_editors.py in batch mode; an error ends Emacs with a code that is not 0.

;;; Code:

(require 'package)
(package-initialize)
(require 'eglot)
(require 'xref)

(defun drive-wait (what condition)
  "Wait until the function CONDITION says yes; WHAT is told where it does not."
  (let ((end (+ (float-time) 60)))
    (while (not (funcall condition))
      (when (> (float-time) end) (error "It did not happen: %s" what))
      (accept-process-output nil 0.05))))

(defun drive-ready-p ()
  "Tell whether nothing is being indexed."
  (eq t (plist-get (jsonrpc-request (eglot-current-server) :workspace/executeCommand
                                    '(:command "memcache.status" :arguments []))
                   :quiescent)))

(load (expand-file-name "examples/editors/memcache-eglot.el" (getenv "TEST_TOP")) nil t)
(setq vc-handled-backends nil
      project-find-functions (list (lambda (_) (cons 'transient default-directory))))
(find-file "operations.txt")
(text-mode)
(apply #'eglot (eglot--guess-contact))
(drive-wait "the server serves the buffer" #'eglot-current-server)
(drive-wait "it is indexed" #'drive-ready-p)

(let ((found (xref-backend-apropos 'eglot "what happens to dead letters")))
  (unless (seq-find (lambda (each)
                      (string-match-p "dead\\|queue" (xref-location-group (xref-item-location each))))
                    found)
    (error "Not found: %S" found)))

(let ((titles (mapcar (lambda (each) (plist-get each :title)) (eglot-code-actions (point-min) (point-max)))))
  (unless (member "Explain" titles) (error "No such action: %S" titles)))

(memcache-eglot-ask "what happens to a parcel that fails too often?")
(drive-wait "the answer" (lambda () (get-buffer "*memcache*")))
(with-current-buffer "*memcache*"
  (unless (string-match-p "\\[1\\]" (buffer-string)) (error "No sources: %s" (buffer-string))))

(make-directory "../handbook" t)
(write-region "# The walrus\n\nThe walrus dives for molluscs.\n" nil "../handbook/walrus.md")
(kill-buffer "*memcache*")
(memcache-eglot-add "../handbook/" "handbook")
(drive-wait "the list" (lambda () (get-buffer "*memcache*")))
(with-current-buffer "*memcache*"
  (unless (string-match-p "cache handbook: " (buffer-string)) (error "No cache: %s" (buffer-string))))
(drive-wait "its index"
            (lambda ()
              (equal "ready" (plist-get (aref (plist-get (jsonrpc-request
                                                          (eglot-current-server) :workspace/executeCommand
                                                          '(:command "memcache.caches" :arguments [(:action "list")]))
                                                         :caches)
                                              0)
                                        :state))))
(kill-buffer "*memcache*")
(memcache-eglot-ask "what does the walrus dive for?" "handbook")
(drive-wait "the answer" (lambda () (get-buffer "*memcache*")))
(with-current-buffer "*memcache*"
  (unless (string-match-p "walrus\\.md" (buffer-string)) (error "No sources: %s" (buffer-string))))

(eglot-shutdown (eglot-current-server))
(princ "driven\n")

;;; drive.el ends here
