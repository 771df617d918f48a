;;; memcache-test-util.el --- What the tests share  -*- lexical-binding: t; -*-

;;; Commentary:

;; The environment is made by tests/test_emacs.py: a home of the server's own in
;; MEMCACHE_HOME, a project in MEMCACHE_TEST_PROJECT, the server's program in
;; MEMCACHE_TEST_SERVER.

;;; Code:

(require 'ert)
(require 'cl-lib)
(require 'memcache)

(defvar memcache-test-patience 120
  "Seconds until what is waited for is given up.")

(defvar memcache-test-project
  (file-name-as-directory (file-truename (getenv "MEMCACHE_TEST_PROJECT")))
  "The project that is asked about.")

(setq memcache-command (split-string (getenv "MEMCACHE_TEST_SERVER") "\n"))

(defmacro memcache-test-until (&rest condition)
  "Wait until CONDITION holds, and return its value."
  `(let ((end (+ (float-time) memcache-test-patience)) value)
     (while (not (setq value (progn ,@condition)))
       (when (> (float-time) end)
         (ert-fail (list "It did not happen" ',condition
                         (when (get-buffer "*memcache*")
                           (with-current-buffer "*memcache*"
                           (buffer-substring-no-properties (point-min) (point-max)))))))
       (accept-process-output nil 0.02))
     value))

(defun memcache-test-file (name)
  "Return the file NAME of the project."
  (expand-file-name name memcache-test-project))

(defmacro memcache-test-visiting (name &rest body)
  "Evaluate BODY in a buffer that visits the file NAME of the project.
The buffer is killed afterwards, the file is as before."
  (declare (indent 1))
  `(let* ((file (memcache-test-file ,name))
          (before (with-temp-buffer (insert-file-contents-literally file) (buffer-string)))
          (buffer (find-file-noselect file)))
     (unwind-protect
         (with-current-buffer buffer
           (memcache-mode 1)
           ,@body)
       (when (buffer-live-p buffer)
         (with-current-buffer buffer
           (set-buffer-modified-p nil)
           (kill-buffer)))
       (let ((coding-system-for-write 'no-conversion))
         (write-region before nil file nil 'silent)))))

(defun memcache-test-written (buffer)
  "Wait until nothing is being written in BUFFER, and return its last turn."
  (memcache-test-until (not (memcache--busy buffer)))
  (car (buffer-local-value 'memcache--turns buffer)))

(defun memcache-test-ask (question)
  "Ask QUESTION in the project; return the finished turn."
  (let ((default-directory memcache-test-project))
    (memcache-ask question)
    (memcache-test-written (get-buffer "*memcache*"))))

(defun memcache-test-text (turn)
  "Return the text of TURN."
  (with-current-buffer (memcache--turn-buffer turn)
    (buffer-substring-no-properties (memcache--turn-text turn) (memcache--turn-end turn))))

(defmacro memcache-test-fresh (&rest body)
  "Evaluate BODY, and end every session afterwards."
  `(unwind-protect (progn ,@body)
     (dolist (buffer (buffer-list))
       (when (string-prefix-p "*memcache*" (buffer-name buffer))
         (kill-buffer buffer)))
     (pcase-dolist (`(_ . ,connection) memcache--connections)
       (memcache--leave connection))
     (memcache-test-until (null memcache--connections))))

(defun memcache-test-connection ()
  "Return a connection that nobody answers."
  (let ((connection
         (make-instance 'memcache-connection :name "nobody" :host nil
                        :notification-dispatcher #'ignore :request-dispatcher #'ignore
                        :events-buffer-scrollback-size 0
                        :process (lambda ()
                                   (make-process :name "nobody" :command '("sleep" "600")
                                                 :connection-type 'pipe :noquery t)))))
    (oset connection progress (make-hash-table :test #'equal))
    (oset connection state 'ready)
    (oset connection methods (list memcache-method-ask memcache-method-threads))
    connection))

(provide 'memcache-test-util)
;;; memcache-test-util.el ends here
