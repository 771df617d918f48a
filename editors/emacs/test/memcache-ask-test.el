;;; memcache-ask-test.el --- Asking, against the real server  -*- lexical-binding: t; -*-

;;; Code:

(require 'memcache-test-util)

(ert-deftest memcache-test-asks-streams-and-opens ()
  (memcache-test-fresh
   (let ((turn (memcache-test-ask "what happens to a parcel that fails too often?")))
     (should (eq (memcache--turn-state turn) 'done))
     (with-current-buffer "*memcache*"
       (princ (buffer-string))
       (goto-char (point-min))
       (memcache-answer-next)
       (let ((place (memcache--place-here)))
         (memcache-answer-open)
         (should (equal (buffer-file-name (window-buffer)) (memcache--place-file place))))))))

;;; memcache-ask-test.el ends here
