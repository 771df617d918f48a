;;; memcache-server-test.el --- Against the real server, without a model  -*- lexical-binding: t; -*-

;;; Commentary:

;; Answers are quotations here, so what they say and cite is known.

;;; Code:

(require 'tramp)
(require 'memcache-test-util)

(defconst memcache-test--question "what happens to a parcel that fails too often?"
  "A question that the example answers.")

(defun memcache-test--get (method &optional params)
  "Return the result of METHOD with PARAMS."
  (let* ((default-directory memcache-test-project) (result 'none))
    (memcache--request (memcache--connect) method params
                       :success (lambda (value) (setq result value))
                       :error (lambda (problem) (setq result problem)))
    (memcache-test-until (not (eq result 'none)))
    result))

(defun memcache-test--buttons (turn)
  "Return the buttons in the text of TURN."
  (with-current-buffer (memcache--turn-buffer turn)
    (cl-loop with at = (memcache--turn-text turn)
             while (setq at (next-button at))
             collect (button-at (copy-marker (button-start at)))
             do (setq at (button-end at)))))

(defun memcache-test--settle ()
  "Wait until the project is indexed."
  (while (not (memcache-status-result-quiescent (memcache-test--get memcache-method-status)))
    (accept-process-output nil 0.1)))

(ert-deftest memcache-test-first-question-is-answered-once-indexed ()
  (memcache-test-fresh
   (let* ((memcache-test-project (file-name-as-directory
                                  (concat (directory-file-name memcache-test-project) "-fresh")))
          (turn (memcache-test-ask memcache-test--question)))
     (should (eq (memcache--turn-state turn) 'done))
     (should (memcache--turn-sources turn))
     (should (memcache-test--buttons turn))
     (with-current-buffer (memcache--turn-buffer turn)
       (should (< (progn (goto-char (point-min)) (search-forward "Sources"))
                  (memcache--turn-text turn)))))))

(ert-deftest memcache-test-citations-open-at-their-lines-in-edited-buffers ()
  (memcache-test-fresh
   (memcache-test--settle)
   (let* ((turn (memcache-test-ask memcache-test--question))
          (place (with-current-buffer (memcache--turn-buffer turn)
                   (memcache--button-place (car (memcache-test--buttons turn)))))
          (name (file-relative-name (memcache--place-file place) memcache-test-project))
          (line (lambda () (buffer-substring (line-beginning-position) (line-end-position))))
          cited)
     (memcache-test-visiting name
       (goto-char (point-min))
       (forward-line (1- (car (memcache--place-lines place))))
       (setq cited (funcall line))
       ;; Edited after the answer: what was cited has moved down.
       (goto-char (point-min))
       (insert "one\ntwo\nthree\n")
       (with-current-buffer (memcache--turn-buffer turn)
         (goto-char (button-start (car (memcache-test--buttons turn))))
         (memcache-answer-open))
       (with-current-buffer (window-buffer)
         (should (equal buffer-file-name (memcache--place-file place)))
         (should (equal (funcall line) cited)))
       ;; Asked after the edit, which is not saved: the server knows of it.
       (kill-buffer (memcache--turn-buffer turn))
       (let* ((again (memcache-test-ask memcache-test--question))
              (button (car (memcache-test--buttons again))))
         (with-current-buffer (memcache--turn-buffer again)
           (let ((now (memcache--button-place button)))
             (should (equal (memcache--place-file now) (memcache--place-file place)))
             (goto-char (button-start button))
             (memcache-answer-next 0)
             (memcache-answer-open)
             (should (= (car (memcache--place-lines now))
                        (with-current-buffer (window-buffer) (line-number-at-pos)))))))))))

(ert-deftest memcache-test-unsaved-text-is-found-narrowed-indirect-or-not ()
  (memcache-test-fresh
   (memcache-test--settle)
   (memcache-test-ask memcache-test--question)
   (memcache-test-visiting "courier/retry.py"
     (goto-char (point-max))
     (insert "\n\ndef zanzibar_quokka():\n    return 1\n")
     (narrow-to-region 1 20)
     (let ((find (lambda (word)
                   (memcache-search-result-hits
                    (memcache-test--get memcache-method-search
                                        (memcache-make-search-params :query word :limit 3))))))
       (let ((hit (car (funcall find "zanzibar_quokka"))))
         (should (equal (memcache-hit-origin hit) "buffer"))
         (should (equal (memcache-hit-path hit) "courier/retry.py")))
       (with-current-buffer (make-indirect-buffer (current-buffer) "other")
         (save-restriction
           (widen)
           (goto-char (point-max))
           (insert "\n\ndef wombat_marsupial():\n    return 2\n"))
         (should (string-match-p "wombat" (memcache-hit-snippet
                                           (car (funcall find "wombat_marsupial")))))
         (should (plist-get (memcache--context) :document))
         (kill-buffer))
       (set-buffer-modified-p nil)
       (kill-buffer)
       (dolist (hit (funcall find "wombat_marsupial"))
         (should-not (string-match-p "wombat" (memcache-hit-snippet hit))))))))

(defun memcache-test--unnumbered (turn)
  "Return the text of TURN without its numbers, which go on through a thread."
  (replace-regexp-in-string "\\[[0-9]+\\]" "[]" (memcache-test-text turn)))

(defun memcache-test--numbered (turn)
  "Hold the numbers in the text of TURN against its list of sources."
  (let ((buttons (memcache-test--buttons turn)))
    (should buttons)
    (dolist (button buttons)
      (with-current-buffer (memcache--turn-buffer turn)
        (save-excursion
          (goto-char (button-start button))
          (should (search-backward (concat "\n  " (button-label button) " "
                                           (memcache--place-path (memcache--button-place button)))
                                   nil t)))))))

(ert-deftest memcache-test-follows-up-asks-again-and-lists-threads ()
  (memcache-test-fresh
   (memcache-test--settle)
   (let ((turn (memcache-test-ask memcache-test--question)) thread)
     (with-current-buffer "*memcache*"
       (setq thread memcache--thread)
       (should thread)
       (memcache-ask-follow-up "how long does a retry wait?")
       (memcache-test-written (current-buffer))
       (should (equal memcache--thread thread))
       (should (= (length memcache--turns) 2))
       (memcache-test--numbered (car memcache--turns))
       (goto-char (memcache--turn-text turn))
       (memcache-answer-again)
       (memcache-test-written (current-buffer))
       (should (= (length memcache--turns) 3))
       (should (eq (memcache--turn-state (car memcache--turns)) 'done))
       (memcache-test--numbered (car memcache--turns))
       (should (equal (memcache-test--unnumbered (car memcache--turns)) (memcache-test--unnumbered turn))))
     (let ((text (memcache-test-text turn))
           (default-directory memcache-test-project))
       (kill-buffer "*memcache*")
       (memcache-threads)
       (with-current-buffer "*memcache threads*"
         (memcache-test-until (search-forward "what happens to a parcel" nil t))
         (should (equal (tabulated-list-get-id) thread))
         (memcache-threads-open)
         (memcache-test-until (get-buffer "*memcache*"))
         (should (equal (memcache-test-text
                         (car (last (buffer-local-value 'memcache--turns
                                                        (get-buffer "*memcache*")))))
                        text))
         (cl-letf (((symbol-function 'y-or-n-p) #'always))
           (memcache-threads-delete))
         (memcache-test-until (not (assoc thread tabulated-list-entries))))))))

(ert-deftest memcache-test-search-shows-xrefs-that-next-error-goes-through ()
  (memcache-test-fresh
   (memcache-test--settle)
   (memcache-test-ask memcache-test--question)
   (let ((default-directory memcache-test-project))
     (when (get-buffer "*xref*") (kill-buffer "*xref*"))
     (let ((xref-show-xrefs-function (lambda (&rest _) (error "The minibuffer is in use"))))
       (memcache-search "retry delay")
       (memcache-test-until (get-buffer "*xref*")))
     (with-current-buffer "*xref*"
       (should (search-forward "RetryPolicy" nil t))
       (goto-char (point-min)))
     (next-error)
     (should (string-prefix-p memcache-test-project (buffer-file-name (window-buffer))))
     (let* ((here (lambda ()
                    (with-current-buffer (window-buffer)
                      (list buffer-file-name (line-number-at-pos (window-point))))))
            (first (funcall here)))
       (next-error)
       (should-not (equal first (funcall here)))))))

(ert-deftest memcache-test-of-searches-while-typing-only-the-last-counts ()
  (memcache-test-fresh
   (memcache-test--settle)
   (memcache-test-ask memcache-test--question)
   (let* ((default-directory memcache-test-project) (shown nil)
          (search (memcache--begin-search (memcache--scope) (lambda (hits) (push hits shown)))))
     (cl-loop for end from 1 to (length "webhook signature")
              do (memcache--search-for search (substring "webhook signature" 0 end)))
     (memcache-test-until shown)
     (should (= (length shown) 1))
     (should (string-match-p "webhook" (memcache-hit-path (caar shown))))
     (memcache--search-for search "")
     (memcache-test-until (and (cdr shown) (null (car shown)))))))

(ert-deftest memcache-test-similar-why-and-status ()
  (memcache-test-fresh
   (memcache-test--settle)
   (memcache-test-ask memcache-test--question)
   (memcache-test-visiting "courier/retry.py"
     (goto-char (point-min))
     (search-forward "class RetryPolicy")
     (when (get-buffer "*xref*") (kill-buffer "*xref*"))
     (memcache-similar)
     (memcache-test-until (get-buffer "*xref*"))
     (memcache-why)
     (memcache-test-until (string-match-p "^It is indexed as python" (memcache-test--messages)))
     (memcache-status)
     (memcache-test-until             ; it may be indexed again, or another message be last
       (when-let* ((status (get-buffer "*memcache status*")))
         (with-current-buffer status
           (revert-buffer)
           (string-match-p "ready: \\(?:.\\|\n\\)*Emacs" (buffer-string)))))
     (kill-buffer "*memcache status*"))))

(ert-deftest memcache-test-what-is-not-there-says-so ()
  (memcache-test-fresh
   (let ((connection (progn (memcache-test--get memcache-method-status)
                            (memcache--live memcache-test-project))))
     (should (memq memcache-method-ask (oref connection methods)))
     (oset connection methods (remq memcache-method-models (oref connection methods)))
     (let ((problem (memcache-test--get memcache-method-models '(:action "list"))))
       (should (string-match-p "memcache/models" (plist-get problem :message)))))))

(ert-deftest memcache-test-a-cancelled-search-is-answered ()
  (memcache-test-fresh
   (memcache-test--get memcache-method-status)
   (let* ((default-directory memcache-test-project) problem
          (request (memcache--request (memcache--connect) memcache-method-search
                                      (memcache-make-search-params :query "retry")
                                      :error (lambda (value) (setq problem value)))))
     (memcache--cancel request)
     (memcache-test-until (eq (memcache--request-state request) 'done))
     ;; It may have been found before the server heard of the cancel.
     (should (member (plist-get problem :code) (list nil memcache-error-request-cancelled))))))

(ert-deftest memcache-test-one-connection-and-every-project-it-needs ()
  (memcache-test-fresh
   (memcache-test--settle)
   (memcache-test-ask memcache-test--question)
   (let* ((other (file-name-as-directory (file-truename (make-temp-file "mc-other-" t)))))
     (unwind-protect
         (progn
           (make-directory (expand-file-name ".git" other))
           (with-temp-file (expand-file-name "notes.md" other)
             (insert "# Herons\n\nThe heron nests beside the weir in March.\n"))
           (let ((default-directory other))
             (memcache-ask "where does the heron nest?")
             (let ((turn (memcache-test-written (get-buffer "*memcache*"))))
               (should (equal (mapcar #'memcache--place-path (memcache--turn-sources turn))
                              '("notes.md")))))
           (should (= (length memcache--connections) 1))
           (let ((default-directory memcache-test-project) (current-prefix-arg '(4)))
             (cl-letf (((symbol-function 'completing-read) (lambda (&rest _) "all open projects"))
                       ((symbol-function 'read-string)
                        (lambda (prompt &rest _)
                          (should (equal prompt "Ask about all projects: "))
                          "where does the heron nest?")))
               (call-interactively #'memcache-ask))
             (let ((turn (memcache-test-written (get-buffer "*memcache*"))))
               (should (equal (memcache--place-path (car (memcache--turn-sources turn)))
                              "notes.md")))))
       (delete-directory other t)))))

(ert-deftest memcache-test-a-buffer-without-a-file-sends-its-text ()
  (memcache-test-fresh
   (with-temp-buffer
     (setq default-directory memcache-test-project)
     (transient-mark-mode 1)
     (insert "RetryPolicy")
     (set-mark (point-min))
     (activate-mark)
     (memcache-explain)
     (let ((turn (memcache-test-written (get-buffer "*memcache*"))))
       (should (string-suffix-p "\n\nRetryPolicy"
                                (plist-get (nth 1 (memcache--turn-params turn)) :question)))
       (should (memcache--turn-sources turn))))))

(ert-deftest memcache-test-outlives-daemon-and-server ()
  (memcache-test-fresh
   (memcache-test--settle)
   (memcache-test-ask memcache-test--question)
   (let ((pid (memcache-status-result-pid (memcache-test--get memcache-method-status)))
         (connection (memcache--live memcache-test-project)))
     (signal-process pid 'SIGKILL)
     (memcache-test-until
       (let ((now (memcache-status-result-pid (memcache-test--get memcache-method-status))))
         (and now (not (eq pid now)))))
     (should (eq connection (memcache--live memcache-test-project)))
     (should (memcache--turn-sources (memcache-test-ask memcache-test--question)))
     ;; Now its own process, amid a question.
     (let ((default-directory memcache-test-project))
       (memcache-ask memcache-test--question))
     (signal-process (process-id (jsonrpc--process connection)) 'SIGKILL)
     (let ((turn (memcache-test-written (get-buffer "*memcache*"))))
       (should (memq (memcache--turn-state turn) '(failed done))))
     (memcache-test-until (not (memcache--live memcache-test-project)))
     (should (memcache--turn-sources (memcache-test-ask memcache-test--question)))
     (should-not (eq connection (memcache--live memcache-test-project))))))

(ert-deftest memcache-test-a-session-begins-while-another-ends ()
  (memcache-test-fresh
   (memcache-test--settle)
   (let* ((default-directory memcache-test-project)
          (old (memcache--live))
          (process (jsonrpc--process old)))
     (memcache-stop)
     (memcache-ask memcache-test--question)
     (let ((new (memcache--live)))
       (should-not (eq old new))
       (memcache-test-until (not (process-live-p process)))
       (let ((turn (memcache-test-written (get-buffer "*memcache*"))))
         (should (eq (memcache--turn-state turn) 'done))
         (should (eq (memcache--live) new))))))
  ;; Nothing of them is left.
  (memcache-test-until
    (not (cl-find-if (lambda (buffer) (string-match-p "memcache.* \\(stderr\\|output\\|events\\)\\*" (buffer-name buffer)))
                     (buffer-list)))))

(defun memcache-test--state ()
  "Return the state of the project's index."
  (let ((uri (memcache--uri memcache-test-project)))
    (memcache-root-status-state
     (cl-find uri (memcache-status-result-roots (memcache-test--get memcache-method-status))
              :key #'memcache-root-status-uri :test #'equal))))

(ert-deftest memcache-test-index-can-be-steered ()
  (memcache-test-fresh
   (memcache-test--settle)
   (let ((default-directory memcache-test-project))
     (memcache-index "pause")
     (memcache-test-until (string-match-p "is paused" (memcache-test--messages)))
     (should (equal (memcache-test--state) "paused"))
     (dolist (action '("resume" "rebuild"))
       (memcache-index action)
       (memcache-test-until (equal (memcache-test--state) "ready"))))))

(ert-deftest memcache-test-a-missing-program-is-told ()
  (let ((memcache-command '("memcache-lsp-that-is-nowhere" "serve"))
        (default-directory memcache-test-project))
    (should (string-match-p "memcache-command"
                            (cadr (should-error (memcache-ask "x?") :type 'user-error))))
    (should-not memcache--connections)))

(ert-deftest memcache-test-a-program-that-is-no-server-is-told ()
  (let ((memcache-command '("sh" "-c" "echo this is no server >&2; exit 1"))
        (default-directory memcache-test-project))
    (memcache-ask "x?")
    (let ((turn (memcache-test-written (get-buffer "*memcache*"))))
      (should (eq (memcache--turn-state turn) 'failed))
      (with-current-buffer (memcache--turn-buffer turn)
        (should (string-match-p "this is no server" (buffer-string)))
        (kill-buffer)))))

(ert-deftest memcache-test-a-server-that-does-not-answer-is-told ()
  (let ((memcache-command '("sleep" "600")) (memcache--start-seconds 0.2)
        (default-directory memcache-test-project))
    (memcache-ask "x?")
    (let ((turn (memcache-test-written (get-buffer "*memcache*"))))
      (should (eq (memcache--turn-state turn) 'failed))
      (with-current-buffer (memcache--turn-buffer turn)
        (should (string-match-p "did not answer" (buffer-string)))
        (kill-buffer)))
    (memcache-test-until (null memcache--connections))))

(defmacro memcache-test-far (&rest body)
  "Evaluate BODY with a method `mock' whose remote machine is this one."
  `(let ((tramp-methods
          (cons `("mock" (tramp-login-program "sh") (tramp-login-args (("-i")))
                  (tramp-remote-shell "/bin/sh") (tramp-remote-shell-args ("-c"))
                  (tramp-connection-timeout 10))
                tramp-methods))
         (tramp-default-host-alist (list (list "\\`mock\\'" nil (system-name))))
         (tramp-verbose 1)
         (default-directory (concat "/mock::" memcache-test-project)))
     (unwind-protect (progn ,@body)
       (tramp-cleanup-all-connections))))

(ert-deftest memcache-test-far-buffers-have-their-server-there ()
  (memcache-test-far
   (memcache-test-fresh
    (memcache-ask memcache-test--question)
    (let* ((turn (memcache-test-written (get-buffer "*memcache*")))
           (place (car (memcache--turn-sources turn))))
      (should (eq (memcache--turn-state turn) 'done))
      (should (memcache--live))
      (should-not (memcache--live memcache-test-project))
      (should (equal (file-remote-p (memcache--place-file place)) (file-remote-p default-directory)))
      (memcache--open place)
      (should (equal (line-number-at-pos) (car (memcache--place-lines place))))
      (should (file-remote-p buffer-file-name))
      (kill-buffer)))))

(ert-deftest memcache-test-far-shells-that-read-on-lose-nothing ()
  "A remote shell that is slow finds what comes behind its line in one piece with it."
  (memcache-test-far
   (memcache-test-fresh
    (let* ((open (make-temp-name (expand-file-name "mc-open-" temporary-file-directory)))
           (hold (lambda (vec command &optional _never no-output)
                   (when (and no-output (string-match-p "exec.*stty" command))
                     (process-send-string (tramp-get-connection-process vec)
                                          (format "until [ -e %s ]; do sleep 0.1; done\n" open))))))
      (advice-add 'tramp-send-command :before hold)
      (unwind-protect
          (progn
            (memcache-ask memcache-test--question)
            (write-region "" nil open nil 'silent)
            (should (eq (memcache--turn-state (memcache-test-written (get-buffer "*memcache*"))) 'done)))
        (advice-remove 'tramp-send-command hold)
        (delete-file open))))))

(ert-deftest memcache-test-far-unsaved-text-takes-part ()
  (memcache-test-far
   (let ((memcache-test-project default-directory))
     (memcache-test-fresh
      (memcache-test-ask memcache-test--question)
      (memcache-test-visiting "courier/retry.py"
        (should (file-remote-p buffer-file-name))
        (goto-char (point-max))
        (insert "\n\ndef aardvark_termite():\n    return 1\n")
        (let ((hit (car (memcache-search-result-hits
                         (memcache-test--get memcache-method-search
                                             (memcache-make-search-params
                                              :query "aardvark_termite" :limit 3))))))
          (should (equal (memcache-hit-origin hit) "buffer"))
          (should (equal (memcache--place-file (memcache--hit-place hit (memcache--host)))
                         buffer-file-name))))))))

(ert-deftest memcache-test-far-machines-without-the-program-are-named ()
  (memcache-test-far
   (let ((memcache-command '("memcache-lsp-that-is-nowhere" "serve")))
     (should (string-match-p "on /mock:"
                             (cadr (should-error (memcache-ask "x?") :type 'user-error)))))))

(provide 'memcache-server-test)
;;; memcache-server-test.el ends here
