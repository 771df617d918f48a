;;; emacs_holds.el --- How long the client holds Emacs, for bench/emacs.py  -*- lexical-binding: t; -*-

;;; Commentary:

;; Emacs runs in batch: its main loop waits for processes and timers, and every
;; function of ours that such a loop, a hook or a key calls is timed, without
;; the time that garbage collection took.

;;; Code:

(require 'cl-lib)
(require 'memcache)

(defvar holds-project (file-name-as-directory (file-truename (getenv "HOLDS_PROJECT"))))
(defvar holds (make-hash-table :test #'eq) "Milliseconds by function.")
(defvar holds-depth 0 "How deep in functions that are timed.")

(defvar holds-words
  '("parcel" "depot" "carrier" "route" "session" "token" "cache" "index" "query" "window" "driver"
    "ledger" "invoice" "batch" "worker" "signal" "buffer" "stream" "packet")
  "Words of the project, see `make_project' of bench/speed.py.")
(defvar holds-written 0 "How many answers had a text.")

(setq memcache-command (split-string (getenv "HOLDS_SERVER") "\n"))

(dolist (function '(jsonrpc--process-filter memcache--flush memcache--sync memcache--sync-all
                    memcache--before-change memcache--after-change memcache--search-now
                    memcache--found memcache--preview-here memcache-ask memcache-answer-next
                    memcache-answer-stop memcache--lighter memcache--header memcache--ask-early
                    memcache--code-load memcache--turn-on))
  (advice-add
   function :around
   (lambda (original &rest args)
     (let ((start (float-time)) (collecting gc-elapsed) (holds-depth (1+ holds-depth)))
       (unwind-protect (apply original args)
         (when (= holds-depth 1)       ; what holds Emacs is the outermost
           (push (* 1000 (- (float-time) start (- gc-elapsed collecting)))
                 (gethash function holds))))))
   '((name . holds))))

(defun holds-turn ()
  "Return the turn that is being written, if any."
  (and (get-buffer "*memcache*") (memcache--busy (get-buffer "*memcache*"))))

(defun holds-question (n)
  "Return the Nth question, to which the project has an answer."
  (let ((word (lambda (at) (nth (% at (length holds-words)) holds-words))))
    (format "how does a %s retry the %s of a %s with a limit?"
            (funcall word n) (funcall word (+ 1 (/ n 19) n)) (funcall word (+ 9 (* 3 n))))))

(defun holds-count ()
  "Count the latest answer if it has a text."
  (when (memcache--turn-text (car (buffer-local-value 'memcache--turns (get-buffer "*memcache*"))))
    (cl-incf holds-written)))

(defun holds-work (until)
  "Type, search, ask and look at citations until the function UNTIL says so."
  (let* ((file (car (directory-files-recursively holds-project "\\.py\\'")))
         (buffer (find-file-noselect file))
         (default-directory holds-project)
         (query "retry the parcel queue") (typed 0) (step 0) (answers 0)
         (search (memcache--begin-search
                  (memcache--scope)
                  (lambda (hits) (when hits (memcache--show-xrefs hits nil #'ignore))))))
    (with-current-buffer buffer (memcache--turn-on))
    (while (not (funcall until answers))
      (cl-incf step)
      (with-current-buffer buffer
        (goto-char (1+ (random (buffer-size))))
        (insert (if (= 0 (% step 20)) "\n" "x"))
        (memcache--lighter))
      (when (= 0 (% step 4))
        (setq typed (% (1+ typed) (length query)))
        (memcache--search-for search (substring query 0 (1+ typed))))
      (when (= 0 (% step 16))            ; what an idle Emacs does
        (memcache--sync-all)
        (when memcache--code-wanted (memcache--code-load)))
      (let ((turn (holds-turn)))
        (cond ((and (null turn) (= answers 4))) ; indexing waits while an answer is written
              ((null turn)
               (cl-incf answers)
               (when (get-buffer "*memcache*") (holds-count))
               (memcache-ask (holds-question (+ 1000 answers))))
              ((and (memcache--turn-sources turn) (= 0 (% step 8)))
               (with-current-buffer "*memcache*"
                 (memcache--header)
                 (ignore-errors (memcache-answer-next))
                 (goto-char (point-max))))))
      (sit-for 0.03))
    (setf (memcache--search-live search) nil) ; or it goes on, and connects anew
    (memcache--end-search search)
    (with-current-buffer buffer
      (set-buffer-modified-p nil)
      (kill-buffer))
    answers))

(defun holds-resident ()
  "Return the resident memory of this Emacs in megabytes."
  (garbage-collect)
  (with-temp-buffer
    (insert-file-contents-literally "/proc/self/statm")
    (/ (* 4 (string-to-number (nth 1 (split-string (buffer-string))))) 1024.0)))

(defvar holds-indexed nil
  "Whether the server said that all is indexed.")

(advice-add 'memcache--notified :before
            (lambda (_connection method params)
              (when (eq method 'memcache/didChangeStatus)
                (setq holds-indexed (memcache-did-change-status-params-quiescent params)))))

(defun holds-answers (count)
  "Ask COUNT questions one after the other."
  (let ((default-directory holds-project))
    (dotimes (n count)
      (memcache-ask (holds-question n))
      (while (holds-turn) (accept-process-output nil 0.01))
      (holds-count))))

(defun holds-main ()
  "Measure, and print a plist."
  (let* ((began (float-time)) indexed answers growth)
    (setq answers (holds-work (lambda (answers)
                                (when (and (not indexed) holds-indexed)
                                  (setq indexed (- (float-time) began)))
                                (and indexed (> answers 2) (> (- (float-time) began) 30)))))
    (memcache--leave (memcache--live holds-project))
    (while memcache--connections (accept-process-output nil 0.1))
    ;; Quotations come at once, so that 200 of them can be waited for.
    (advice-add 'memcache--introduction :filter-return
                (lambda (params)
                  (plist-put params :initializationOptions '(:useModel :json-false))))
    (setq growth (list (progn (holds-answers 50) (holds-resident))
                       (progn (holds-answers 200) (holds-resident))))
    (princ
     (json-serialize
      (list :indexed indexed :answers answers :written holds-written :memory (vconcat growth)
            :holds (let (all)
                     (maphash (lambda (name times)
                                (setq all (plist-put all (intern (format ":%s" name))
                                                     (vconcat times))))
                              holds)
                     all))))))

(holds-main)
;;; emacs_holds.el ends here
