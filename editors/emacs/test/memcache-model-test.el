;;; memcache-model-test.el --- Against the real server with a real model  -*- lexical-binding: t; -*-

;;; Code:

(require 'memcache-test-util)

(setq memcache-answer-tokens 64)        ; which is enough to see it stream

(ert-deftest memcache-test-streams-and-stops ()
  (memcache-test-fresh
   (let ((turn (memcache-test-ask "what happens to a parcel that fails too often?"))
         (stages nil) (lengths nil))
     (should (eq (memcache--turn-state turn) 'done))
     (should (> (length (memcache-test-text turn)) 20))
     (cl-letf* ((show (symbol-function 'memcache--show-stage))
                ((symbol-function 'memcache--show-stage)
                 (lambda (turn text)
                   (push text stages)
                   (funcall show turn text)))
                (default-directory memcache-test-project))
       (memcache-ask "how long does a retry wait, and why?")
       (with-current-buffer "*memcache*"
         (let ((turn (memcache--busy)))
           (memcache-test-until (memcache--turn-sources turn))
           (should-not (memcache--turn-text turn))
           (memcache-test-until
             (when (memcache--turn-text turn)
               (cl-pushnew (- (point-max) (memcache--turn-text turn)) lengths))
             (or (> (length lengths) 3) (not (memcache--busy))))
           (should (> (length lengths) 3))
           (let ((written (buffer-substring-no-properties (memcache--turn-text turn) (point-max)))
                 (request (memcache--turn-request turn)))
             (memcache-answer-stop)
             (should (eq (memcache--turn-state turn) 'stopped))
             (should (string-prefix-p written (memcache-test-text turn)))
             (should (search-backward "Stopped." nil t))
             (memcache-test-until (eq (memcache--request-state request) 'done))))))
     (should (cl-some (lambda (text) (string-prefix-p "Reading" text)) stages)))))

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
