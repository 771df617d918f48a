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

;; Where something gets out of a test past ERT's debugger, ERT says that the test
;; was aborted and ends Emacs without a word of what it was.

(defvar memcache-test--signals nil
  "What was signalled lately, latest first.")

(defun memcache-test--note-signal (symbol data)
  "Note that SYMBOL was signalled with DATA, in which test and by which functions."
  (let ((signal-hook-function nil))
    (push (list (format-time-string "%T.%3N") symbol data
                (and (ert-running-test) (ert-test-name (ert-running-test)))
                (cl-loop for (_ function) in (backtrace-frames #'memcache-test--note-signal)
                         repeat 20
                         collect (if (symbolp function) function 'lambda)))
          memcache-test--signals)
    (when-let* ((older (nthcdr 9 memcache-test--signals)))
      (setcdr older nil))))

(setq signal-hook-function #'memcache-test--note-signal)

(defun memcache-test--tell-abort (run &rest args)
  "Call RUN with ARGS; where it does not come to an end, tell why it may be so."
  (let (ended)
    (unwind-protect
        (prog1 (apply run args)
          (setq ended t))
      (unless ended
        (message "Signalled before that: %S" memcache-test--signals)))))

(advice-add 'ert-run-tests-batch :around #'memcache-test--tell-abort)

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
         (apply #'make-instance 'memcache-connection :name "nobody" :host nil
                :notification-dispatcher #'ignore :request-dispatcher #'ignore
                :process (lambda ()
                           (make-process :name "nobody" :command '("sleep" "600")
                                         :connection-type 'pipe :noquery t))
                memcache--no-events)))
    (oset connection progress (make-hash-table :test #'equal))
    (oset connection state 'ready)
    (oset connection methods (list memcache-method-ask memcache-method-threads memcache-method-status))
    connection))

(defun memcache-test--last-message ()
  "Return the last message."
  (with-current-buffer (messages-buffer)
    (goto-char (point-max))
    (forward-line -1)
    (buffer-substring-no-properties (line-beginning-position) (line-end-position))))

(defun memcache-test--messages ()
  "Return all messages."
  (with-current-buffer (messages-buffer) (buffer-string)))

;;;; A turn that the test writes

(defmacro memcache-test-turn (&rest body)
  "Evaluate BODY in a buffer with a turn `turn' that is being written."
  `(let* ((default-directory memcache-test-project)
          (connection (memcache-test-connection))
          (turn (memcache--ask-turn (memcache--new-buffer) "Why?" connection
                                    memcache-method-ask (list :question "Why?"))))
     (ignore turn)
     (unwind-protect
         (with-current-buffer (memcache--turn-buffer turn) ,@body)
       (kill-buffer (memcache--turn-buffer turn)))))

(defvar memcache-test--sent nil
  "Requests that wait for `memcache-test--answer', latest first.")

(defmacro memcache-test-served (&rest body)
  "Evaluate BODY, whose requests are answered by `memcache-test--answer' alone."
  `(let ((memcache-test--sent nil))
     (cl-letf (((symbol-function 'memcache--send)
                (lambda (request) (push request memcache-test--sent))))
       ,@body)))

(defun memcache-test--answer (method result)
  "Answer the only request there is, which is of METHOD, with RESULT; return its params."
  (should (equal (mapcar #'memcache--request-method memcache-test--sent) (list method)))
  (let ((request (pop memcache-test--sent)))
    (memcache--settle request #'memcache--request-success result)
    (memcache--request-params request)))

(defun memcache-test--status (indexing &optional version)
  "Return a status by which the scope is INDEXING, at VERSION, and so is another root."
  (list :quiescent :json-false
        :roots [(:uri "file:///other" :state "indexing" :files (:done 1 :total 9))]
        :caches [(:name "papers" :state "indexing" :files (:done 4 :total 10))]
        :scope (list :indexing (or indexing :json-false) :complete :json-false
                     :version (or version 1))))

(defun memcache-test--location (name start end)
  "Return the location of lines START to END, counted from 0, of file NAME."
  (memcache-make-location
   :uri (memcache--uri (memcache-test-file name))
   :range (memcache-make-range :start (memcache-make-position :line start :character 0)
                               :end (memcache-make-position :line end :character 0))))

(defun memcache-test--hits (&rest names)
  "Return a partial result with hits in the files NAMES."
  (list :type "sources"
        :items (vconcat (mapcar (lambda (name)
                                  (memcache-make-hit
                                   :location (memcache-test--location name 2 6)
                                   :path name :symbol "it" :kind "function"
                                   :language "text" :score 1 :snippet "x" :origin "index"))
                                names))))

(defun memcache-test--hear (turn &rest values)
  "Have TURN hear VALUES, texts being deltas, and write them."
  (dolist (value values)
    (memcache--heard turn (if (stringp value) (list :type "delta" :seq 0 :text value) value)))
  (while (memcache--turn-queue turn)
    (memcache--flush turn)))

(defun memcache-test--results (complete &rest names)
  "Return the result of a search, hits in the files NAMES; COMPLETE if these are all."
  (list :hits (plist-get (apply #'memcache-test--hits names) :items)
        :complete (or complete :json-false)))

(defconst memcache-test--result
  '(:threadId "t1" :turnId "t1.1" :finishReason "stop" :evidence (:read 2 :found 3)
    :usage (:promptTokens 9 :reusedTokens 0 :answerTokens 4)
    :timings (:firstTextSeconds 0.1 :totalSeconds 0.2))
  "How an answer ended.")

(defun memcache-test--read-out (name &rest where)
  "Return the location of text that was read out of the file NAME; WHERE is told too."
  (append (list :uri (concat (memcache--uri (memcache-test-file name))
                             (if-let* ((page (plist-get where :page))) (format "#page=%d" page) ""))
                :range (plist-get (memcache-test--location name 40 44) :range)
                :extracted t)
          where))

(provide 'memcache-test-util)
;;; memcache-test-util.el ends here
