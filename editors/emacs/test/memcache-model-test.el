;;; memcache-model-test.el --- Against the real server with a real model  -*- lexical-binding: t; -*-

;;; Code:

(require 'memcache-test-util)

(setq memcache-answer-tokens 64)        ; which is enough to see it stream

;; What came is noted as it is heard: on a machine that is busy all of it may be written at once.
(ert-deftest memcache-test-streams-and-stops ()
  (memcache-test-fresh
   (let* ((default-directory memcache-test-project) (heard nil) (stop nil)
          (hear (lambda (_turn value) (push value heard)))
          (write (lambda (_turn _text) (when stop (memcache-answer-stop)))))
     (advice-add 'memcache--heard :before hear)
     (advice-add 'memcache--write-text :after write)
     (unwind-protect
         (progn
           (let ((turn (memcache-test-ask "what happens to a parcel that fails too often?"))
                 (kinds (mapcar #'memcache-partial-type (reverse heard))))
             (should (eq (memcache--turn-state turn) 'done))
             (should (> (length (memcache-test-text turn)) 20))
             (should (> (cl-count "delta" kinds :test #'equal) 3))
             (should (member "delta" (member "sources" kinds)))
             (should (member "stage" kinds)))
           (setq stop t)
           (let ((turn (memcache-test-ask "how long does a retry wait, and why?")))
             (should (eq (memcache--turn-state turn) 'stopped))
             (should-not (string-empty-p (memcache-test-text turn)))
             (with-current-buffer "*memcache*"
               (goto-char (point-max))
               (should (search-backward "Stopped." nil t)))
             (memcache-test-until
               (eq (memcache--request-state (memcache--turn-request turn)) 'done))))
       (advice-remove 'memcache--heard hear)
       (advice-remove 'memcache--write-text write)))))

(ert-deftest memcache-test-a-killed-answer-stops-the-model ()
  (memcache-test-fresh
   (let* ((default-directory memcache-test-project)
          (request (progn (memcache-ask "what is a dead letter?")
                          (memcache--turn-request
                           (memcache--busy (get-buffer "*memcache*"))))))
     (kill-buffer "*memcache*")
     (memcache-test-until (eq (memcache--request-state request) 'done)))))

(provide 'memcache-model-test)
;;; memcache-model-test.el ends here
