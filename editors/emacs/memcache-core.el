;;; memcache-core.el --- Connection, places and projects of memcache.el  -*- lexical-binding: t; -*-

;; Copyright (c) 2026 The memcache-lsp authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Owns what everything else in memcache.el stands on: the options, the one
;; connection to the server of a machine, and the way between the server's
;; places (URIs, lines) and Emacs's (files, positions).  It shows nothing but
;; messages, and must not require what is built on it.
;;
;; A connection is made by the first command that needs one.  Whatever is asked
;; before the server has answered `initialize' waits in the connection, so
;; nothing here ever waits for an answer.

;;; Code:

(require 'cl-lib)
(require 'eieio)
(require 'jsonrpc)
(require 'subr-x)
(require 'memcache-place)
(require 'memcache-protocol)

(defgroup memcache nil
  "Questions about a project, answered on this machine with their sources."
  :group 'tools
  :prefix "memcache-")

(defcustom memcache-command '("memcache-lsp" "serve")
  "The program that serves, and its arguments.
In a buffer of a remote machine it is looked for and started there."
  :type '(repeat string)
  :risky t)

(defcustom memcache-answer-tokens 256
  "How long an answer may become, in tokens of the model.
A token is about three quarters of a word.  Takes effect with the next
start of the server's session, see `memcache-stop'."
  :type '(integer :match (lambda (_widget value)
                           (and (integerp value) (<= 16 value 2048)))))

;;;; The connection

(defclass memcache-connection (jsonrpc-process-connection)
  ((host :initarg :host :documentation "Prefix of remote names, or nil.")
   (state :initform 'starting :documentation "Also `ready', `stopping'.")
   (methods :initform nil :documentation "Methods that are there.")
   (version :initform nil :documentation "Version of the server.")
   (sent :initform nil :documentation "Id of the request sent last.")
   (waiting :initform nil :documentation "Requests not sent, latest first.")
   (roots :initform nil :documentation "Folders that were told.")
   (progress :initform nil :documentation "Hash: token to function.")
   (bars :initform nil :documentation "Alist: token to percent.")
   (health :initform "ok" :documentation "As told last.")
   (trouble :initform nil :documentation "Message that came with it."))
  "A connection to the server of one machine.")

(cl-defstruct (memcache--request (:copier nil))
  "A request on its way; its functions are called in its DIRECTORY."
  connection method params success error id state directory)

(defvar memcache--connections nil
  "Alist of remote prefix, nil for this machine, and connection.")

(defvar memcache--ready-functions nil
  "Called with a connection when it can be used.")

(defvar memcache--root-functions nil
  "Called with a connection when the server got to know another folder.")

(defvar memcache--before-request-functions nil
  "Called with a connection before a request is sent.")

(defvar memcache--lost-functions nil
  "Called with a connection that ended.")

(defvar memcache--status-functions nil
  "Called without arguments when health or progress of indexing changed.")

(defvar memcache--thread-functions nil
  "Called with connection and params of `memcache/didChangeThread'.")

(defvar memcache--read-functions nil
  "Called with connection and params of `memcache/didReadDocument'.")

(defconst memcache--empty (make-hash-table)
  "What JSON writes as an empty object.")

(cl-defmethod jsonrpc-connection-send :before
  ((connection memcache-connection) &key id method &allow-other-keys)
  "Note the ID of a request with METHOD that CONNECTION sends.
Before Emacs 30 nothing else in jsonrpc.el tells it."
  (when (and id method)
    (oset connection sent id)))

(defun memcache--host (&optional directory)
  "Return the remote prefix of DIRECTORY, by default the current one, or nil."
  (file-remote-p (or directory default-directory)))

(defun memcache--live (&optional directory)
  "Return the connection for DIRECTORY, by default the current one, or nil."
  (when-let* ((connection (alist-get (memcache--host directory)
                                     memcache--connections nil nil #'equal)))
    (and (jsonrpc-running-p connection)
         (not (eq (oref connection state) 'stopping))
         connection)))

(defun memcache--connect ()
  "Return the connection for the current directory, and tell it of the project.
It is started where there is none, which does not wait for the server."
  (let ((connection (or (memcache--live)
                        (memcache--start (memcache--host) (memcache-root)))))
    (memcache--add-root connection (memcache-root))
    connection))

(defun memcache--program (host)
  "Return the program and arguments for the machine HOST.
Where it is not there, signal a `user-error' with what to do."
  (let* ((default-directory (if host (concat host "/") (expand-file-name "~/")))
         (program (car memcache-command))
         (name (if (and (not host) (string-match-p "/" program))
                   (expand-file-name program)
                 program)))
    (unless (executable-find name t)
      (user-error
       (if host
           "There is no %s on %s: install it there, or add its folder to `tramp-remote-path'"
         "There is no %s: install it, or set `memcache-command' to where it is%s")
       name (or host "")))
    (cons name (cdr memcache-command))))

(defconst memcache--start-seconds 60
  "How long a server may take to answer `initialize', in seconds.")

(defconst memcache--remote-word "{\"jsonrpc\":\"2.0\",\"method\":\"$/started\"}"
  "What a remote shell sends when what comes next is the server's to read.")

(defun memcache--process-command (program host)
  "Return the command that has PROGRAM run on HOST.
Terminals of remote shells must not translate what goes through.  TRAMP's shell
there may read on behind the line that has it run this, so nothing is sent
before `memcache--remote-word' has come."
  (if host
      (list "sh" "-c"
            (format "stty raw >/dev/null 2>&1; printf 'Content-Length: %d\\r\\n\\r\\n%s'; exec %s"
                    (string-bytes memcache--remote-word) memcache--remote-word
                    (mapconcat #'shell-quote-argument program " ")))
    program))

(defconst memcache--no-events
  (if (slot-exists-p 'jsonrpc-connection '-events-buffer-scrollback-size)
      '(:events-buffer-scrollback-size 0)
    '(:events-buffer-config (:size 0 :format full)))
  "What has jsonrpc.el keep no log of messages; older ones call it differently.")

(defvar memcache--sessions 0
  "How many sessions were started; each has buffers of its own.")

(defun memcache--start (host root)
  "Start a session on HOST, nil for this machine, and return its connection.
ROOT is the first folder that it is told of."
  (let* ((program (memcache--program host))
         (name (format "memcache%s %d" (if host (concat " " host) "") (cl-incf memcache--sessions)))
         (default-directory (if host (concat host "/") (expand-file-name "~/")))
         (connection
          (apply
           #'make-instance 'memcache-connection
           :name name :host host
           :notification-dispatcher #'memcache--notified
           :request-dispatcher #'memcache--requested
           :on-shutdown #'memcache--ended
           :process
           (lambda ()
             (make-process
              :name name :command (memcache--process-command program host)
              :connection-type 'pipe :coding 'utf-8-emacs-unix :noquery t
              :file-handler t
              :stderr (get-buffer-create (format "*%s stderr*" name))))
           memcache--no-events)))
    (oset connection progress (make-hash-table :test #'equal))
    (oset connection roots (list root))
    (memcache--quiet-sentinel connection)
    (setf (alist-get host memcache--connections nil nil #'equal) connection)
    (run-at-time memcache--start-seconds nil #'memcache--give-up connection)
    (unless host
      (memcache--initialize connection))
    connection))

(defun memcache--give-up (connection)
  "End CONNECTION and say so, if its server did not answer by now."
  (when (and (eq (oref connection state) 'starting) (jsonrpc-running-p connection))
    (memcache--fail-waiting
     connection
     (list :code -1 :message
           (memcache--with-stderr
            connection
            (format "The server%s did not answer within %d seconds and was ended; the next command starts it again."
                    (if-let* ((host (oref connection host))) (concat " on " host) "")
                    memcache--start-seconds))))
    (memcache--kill connection)))

(defun memcache--quiet-sentinel (connection)
  "Have the end of CONNECTION told by us alone."
  (when-let* ((process (jsonrpc--process connection)))
    (set-process-query-on-exit-flag process nil)
    (add-function :around (process-sentinel process)
                  (lambda (sentinel &rest args)
                    (let ((inhibit-message t)
                          (message-log-max nil))
                      (apply sentinel args)))
                  '((name . memcache-quiet)))))

(defun memcache--initialize (connection)
  "Introduce this Emacs, with its first folder, to the server behind CONNECTION."
  (condition-case nil
      (jsonrpc-async-request
       connection :initialize
       (memcache--introduction connection (car (last (oref connection roots))))
       :timeout nil
       :success-fn (lambda (result)
                     (memcache--guard #'memcache--begin connection result))
       :error-fn (lambda (problem)
                   (unless (eql (plist-get problem :code) -1) ; its end is told elsewhere
                     (memcache--fail-waiting connection problem)
                     (memcache--kill connection))))
    (error nil)))                       ; it ended at once, and its sentinel comes

(defun memcache--introduction (connection root)
  "Return the params of `initialize' for CONNECTION, with the folder ROOT."
  (list :processId (unless (oref connection host) (emacs-pid))
        :clientInfo (list :name "Emacs" :version emacs-version)
        :rootUri (memcache--uri root)
        :workspaceFolders (vector (memcache--folder root))
        :initializationOptions
        (list :codeActions :json-false :answerTokens memcache-answer-tokens)
        :capabilities
        (list :general '(:positionEncodings ["utf-32"])
              :window '(:workDoneProgress t)
              :workspace '(:workspaceFolders t)
              :experimental (list memcache-capability t))))

(defun memcache--begin (connection result)
  "Take RESULT of `initialize', and send what waited in CONNECTION."
  (let* ((able (plist-get result :capabilities))
         (ours (plist-get (plist-get able :experimental) memcache-capability)))
    (oset connection methods
          (mapcar (lambda (name) (intern (concat ":" name)))
                  (plist-get ours :methods)))
    (oset connection version (plist-get (plist-get result :serverInfo) :version))
    (if (not (equal (plist-get able :positionEncoding) "utf-32"))
        (progn
          (memcache--fail-waiting
           connection '(:message "This server counts other positions than ours: install one of this version."))
          (memcache--kill connection))
      (jsonrpc-notify connection :initialized memcache--empty)
      (oset connection state 'ready)
      (dolist (root (reverse (butlast (oref connection roots))))
        (memcache--tell-root connection root))
      (memcache--run 'memcache--ready-functions connection)
      (let ((waiting (nreverse (oref connection waiting))))
        (oset connection waiting nil)
        (mapc #'memcache--send waiting)))))

(defun memcache--fail-waiting (connection problem)
  "Tell PROBLEM to all that wait in CONNECTION."
  (let ((waiting (nreverse (oref connection waiting))))
    (oset connection waiting nil)
    (dolist (request waiting)
      (memcache--settle request #'memcache--request-error problem))
    (unless (or waiting (eq (oref connection state) 'stopping))
      (message "Memcache: %s" (plist-get problem :message)))))

(defun memcache--ended (connection)
  "Clean up after CONNECTION, whose process is gone."
  (let ((host (oref connection host)))
    (when (eq (alist-get host memcache--connections nil nil #'equal) connection)
      (setf (alist-get host memcache--connections nil 'remove #'equal) nil))
    ;; What it said last may still be on its way.
    (run-at-time 0.1 nil
                 (lambda ()
                   (memcache--fail-waiting
                    connection (list :code -1 :message (memcache--last-words connection)))
                   (memcache--kill-buffers connection)))
    (memcache--run 'memcache--lost-functions connection)
    (memcache--run 'memcache--status-functions)))

(defun memcache--kill-buffers (connection)
  "Kill the buffers that jsonrpc.el made for CONNECTION."
  (dolist (buffer (list (jsonrpc-stderr-buffer connection)
                        (process-buffer (jsonrpc--process connection))
                        (get-buffer (format "*%s events*" (jsonrpc-name connection)))))
    (when (buffer-live-p buffer)
      (kill-buffer buffer))))

(defun memcache--last-words (connection)
  "Return one sentence about the end of CONNECTION."
  (if (eq (oref connection state) 'stopping)
      "The session was ended."
    (memcache--with-stderr connection "The server ended; the next command starts it again.")))

(defun memcache--with-stderr (connection sentence)
  "Return SENTENCE, and behind it what the server of CONNECTION complained of last."
  (let* ((buffer (jsonrpc-stderr-buffer connection))
         (line (and (buffer-live-p buffer)
                    (with-current-buffer buffer
                      (goto-char (point-max))
                      (re-search-backward "^Process .* stderr finished" nil t)
                      (skip-chars-backward " \n\t")
                      (buffer-substring-no-properties
                       (line-beginning-position) (point))))))
    (concat sentence (and line (not (string-empty-p line)) (format " (%s)" line)))))

(defun memcache--kill (connection)
  "End the process of CONNECTION without a word."
  (oset connection state 'stopping)
  (delete-process (jsonrpc--process connection)))

(defun memcache--leave (connection)
  "Take leave from the server behind CONNECTION, without waiting for it."
  (if (not (eq (oref connection state) 'ready))
      (memcache--kill connection)
    (oset connection state 'stopping)
    (jsonrpc-async-request
     connection :shutdown nil :timeout nil
     :success-fn (lambda (_) (jsonrpc-notify connection :exit nil))
     :error-fn #'ignore)
    (run-at-time 3 nil (lambda ()
                         (when (jsonrpc-running-p connection)
                           (memcache--kill connection))))))

;;;; Requests

(cl-defun memcache--request (connection method params &key success error)
  "Ask METHOD with PARAMS of CONNECTION; return the request, for a cancel.
SUCCESS gets the result; ERROR gets a plist with `:code' and `:message', and
by default the message is shown.  Neither is called before this returns."
  (let ((request (make-memcache--request
                  :connection connection :method method
                  :params (or params memcache--empty) :success success
                  :error (or error #'memcache--show-problem) :state 'waiting
                  :directory default-directory)))
    (if (eq (oref connection state) 'ready)
        (memcache--send request)
      (push request (oref connection waiting)))
    request))

(defun memcache--send (request)
  "Send REQUEST, unless it was cancelled or its method is not there."
  (let* ((connection (memcache--request-connection request))
         (method (memcache--request-method request)))
    (cond
     ((not (eq (memcache--request-state request) 'waiting)))
     ((not (memq method (oref connection methods)))
      (memcache--later #'memcache--settle request #'memcache--request-error
                       (list :code memcache-error-method-not-found
                             :message (memcache--not-there method connection))))
     (t
      (memcache--run 'memcache--before-request-functions connection)
      (condition-case problem
          (progn
            (jsonrpc-async-request
             connection method (memcache--request-params request) :timeout nil
             :success-fn (lambda (result)
                           (memcache--settle request #'memcache--request-success result))
             :error-fn (lambda (problem)
                         (when (eql (plist-get problem :code) -1)
                           (setq problem (list :code -1 :message
                                               (memcache--last-words connection))))
                         (memcache--settle request #'memcache--request-error problem)))
            (setf (memcache--request-id request) (oref connection sent)
                  (memcache--request-state request) 'sent))
        (error (memcache--later #'memcache--settle request #'memcache--request-error
                                (list :code -1 :message
                                      (if (jsonrpc-running-p connection)
                                          (error-message-string problem)
                                        (memcache--last-words connection))))))))))

(defun memcache--settle (request slot value)
  "Give VALUE to the function in SLOT of REQUEST, once."
  (unless (eq (memcache--request-state request) 'done)
    (setf (memcache--request-state request) 'done)
    (when-let* ((function (funcall slot request))
                (default-directory (memcache--request-directory request)))
      (memcache--guard function value))))

(defun memcache--cancel (request)
  "Stop REQUEST; its error function is called, now or when the server agrees."
  (pcase (memcache--request-state request)
    ('waiting (memcache--settle request #'memcache--request-error
                                (list :code memcache-error-request-cancelled
                                      :message "It was stopped.")))
    ('sent (let ((connection (memcache--request-connection request)))
             (when (jsonrpc-running-p connection)
               (jsonrpc-notify connection :$/cancelRequest
                               (list :id (memcache--request-id request))))))))

(defun memcache--offered-p (method &optional connection)
  "Tell whether METHOD is there, by CONNECTION or before there is one."
  (if (and connection (eq (oref connection state) 'ready))
      (memq method (oref connection methods))
    (not (memq method memcache-methods-not-yet))))

(defun memcache--not-there (method connection)
  "Return the sentence that METHOD is not served by CONNECTION."
  (format "Version %s of memcache-lsp has no %s yet: a later one brings it."
          (oref connection version) (substring (symbol-name method) 1)))

(defun memcache--ask-status (connection scope success &optional error)
  "Ask CONNECTION for its status and how far the index of SCOPE is.
SUCCESS, ERROR and what is returned are as with `memcache--request'."
  (memcache--request connection memcache-method-status
                     (memcache-make-status-params :scope (or scope memcache--empty))
                     :success success :error error))

(defun memcache--indexing-p (status)
  "Tell whether STATUS has any of its scope being indexed."
  (memcache-scope-status-indexing (memcache-status-result-scope status)))

(defun memcache--show-problem (problem)
  "Show the message of PROBLEM, but not that something was stopped."
  (unless (eql (plist-get problem :code) memcache-error-request-cancelled)
    (message "Memcache: %s" (plist-get problem :message))))

(defun memcache--later (function &rest args)
  "Call FUNCTION with ARGS from the main loop, soon."
  (apply #'run-at-time 0 nil function args))

(defun memcache--guard (function &rest args)
  "Call FUNCTION with ARGS; an error is told, for in a filter it would hold Emacs."
  (condition-case problem
      (apply function args)
    (error (message "Memcache: error in a callback: %s" (error-message-string problem)))))

(defun memcache--run (hook &rest args)
  "Call each function of HOOK with ARGS, guarded."
  (dolist (function (symbol-value hook))
    (apply #'memcache--guard function args)))

;;;; What comes without a request

(defun memcache--notified (connection method params)
  "Take the notification METHOD with PARAMS from CONNECTION."
  (memcache--guard
   (lambda ()
     (pcase method
       ('$/started (memcache--initialize connection))
       ('$/progress (memcache--progressed connection (plist-get params :token)
                                          (plist-get params :value)))
       ('memcache/didChangeStatus
        (oset connection health (memcache-did-change-status-params-health params))
        (oset connection trouble (memcache-did-change-status-params-message params))
        (memcache--run 'memcache--status-functions))
       ('memcache/didChangeThread
        (memcache--run 'memcache--thread-functions connection params))
       ('memcache/didReadDocument
        (memcache--run 'memcache--read-functions connection params))
       ('window/showMessage
        (message "Memcache: %s" (plist-get params :message)))))))

(defun memcache--progressed (connection token value)
  "Take the progress VALUE that CONNECTION got on TOKEN."
  (if-let* ((function (gethash token (oref connection progress))))
      (funcall function value)
    (when (assoc token (oref connection bars))
      (if (equal (plist-get value :kind) "end")
          (oset connection bars (assoc-delete-all token (oref connection bars)))
        (setf (alist-get token (oref connection bars) nil nil #'equal)
              (or (plist-get value :percentage) 0)))
      (memcache--run 'memcache--status-functions))))

(defun memcache--requested (connection method params)
  "Answer the request METHOD with PARAMS that came from CONNECTION."
  (pcase method
    ('window/workDoneProgress/create
     (push (cons (plist-get params :token) 0) (oref connection bars))
     nil)
    ((or 'client/registerCapability 'client/unregisterCapability
         'window/showMessageRequest)
     nil)
    (_ (jsonrpc-error :code memcache-error-method-not-found
                      :message (format "Emacs has no %s" method)))))

;;;; Projects

(defun memcache--add-root (connection root)
  "Tell CONNECTION of the folder ROOT, once; before it is ready, when it is."
  (unless (member root (oref connection roots))
    (push root (oref connection roots))
    (when (eq (oref connection state) 'ready)
      (memcache--tell-root connection root))))

(defun memcache--tell-root (connection root)
  "Tell CONNECTION of the folder ROOT."
  (jsonrpc-notify connection :workspace/didChangeWorkspaceFolders
                  (list :event (list :added (vector (memcache--folder root))
                                     :removed [])))
  (memcache--run 'memcache--root-functions connection))

(provide 'memcache-core)
;;; memcache-core.el ends here
