;;; memcache-answer.el --- The buffer where an answer is written  -*- lexical-binding: t; -*-

;; Copyright (c) 2026 The memcache-lsp authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Owns the buffers of answers: a buffer shows a thread, which is a list of
;; turns; a turn is a question, its sources, the text and how it ended.
;;
;; What the server sends about a turn is put in a queue, the result or error
;; last, and a timer writes it: so a burst costs one change of the buffer, order
;; is kept, and a long queue is written in portions.  While a turn is written it
;; is the last thing in its buffer.

;;; Code:

(require 'memcache-turn)

(defconst memcache--flush-seconds 0.05
  "How long pieces of an answer are gathered before they are written.")

(defconst memcache--flush-budget 0.015
  "How long one flush may take before Emacs gets its turn, in seconds.")

(defconst memcache--retry-seconds 1.5
  "How long to wait before a question that was early is asked again.")

;;;; Where a turn is written

(declare-function memcache-answer-mode "memcache-ask")

(defun memcache--new-buffer ()
  "Return an empty buffer for answers: the usual one, unless that is being written."
  (let* ((directory default-directory)
         (title (memcache--project-name))
         (usual (get-buffer "*memcache*"))
         (buffer (if (and usual (memcache--busy usual))
                     (generate-new-buffer "*memcache*")
                   (get-buffer-create "*memcache*"))))
    (with-current-buffer buffer
      (unless (derived-mode-p 'memcache-answer-mode)
        (memcache-answer-mode))
      (memcache--clear)
      (setq default-directory directory
            memcache--title title))
    buffer))

(defun memcache--clear ()
  "Empty the current buffer, and free what held its places."
  (mapc #'memcache--forget-turn memcache--turns)
  (setq memcache--turns nil memcache--thread nil)
  (let ((inhibit-read-only t))
    (delete-all-overlays)
    (erase-buffer)))

(defun memcache--forget-turn (turn)
  "Stop TURN, and free its markers."
  (memcache--stop-turn turn)
  (memcache--free-turn turn)
  (dolist (marker (list (memcache--turn-body turn) (memcache--turn-end turn)))
    (when marker (set-marker marker nil))))

(defun memcache--free-turn (turn)
  "Free the markers in the text of TURN, and those of its places."
  (mapc #'memcache--let-go (memcache--turn-places turn))
  (dolist (marker (list (memcache--turn-text turn) (memcache--turn-sources-start turn)))
    (when marker (set-marker marker nil))))

(defmacro memcache--writing (&rest body)
  "Evaluate BODY, which writes at the end of the current buffer.
Windows whose point is at the end stay there."
  (declare (indent 0) (debug t))
  `(memcache--at-end (lambda () ,@body)))

(defun memcache--at-end (function)
  "Call FUNCTION with point at the end; see `memcache--writing'."
  (let* ((end (1+ (buffer-size)))
         (windows (cl-remove-if-not (lambda (window) (= (window-point window) end))
                                    (get-buffer-window-list nil nil t)))
         (follows (= (point) end))
         (inhibit-read-only t))
    (prog1 (memcache--widened (goto-char end) (funcall function))
      (restore-buffer-modified-p nil)
      (when follows (goto-char (point-max)))
      (dolist (window windows)
        (set-window-point window (point-max))))))

(defun memcache--write-question (question)
  "Write QUESTION at the end of the current buffer."
  (unless (bobp) (insert "\n"))
  (insert (propertize question 'face 'memcache-question 'memcache-question t) "\n"))

(defun memcache--new-turn (question connection)
  "Add a turn with QUESTION, asked of CONNECTION, to the current buffer."
  (let ((turn (make-memcache--turn :buffer (current-buffer) :question question
                                   :connection connection :state 'asked)))
    (push turn memcache--turns)
    (memcache--writing (memcache--write-question question))
    (setf (memcache--turn-body turn) (copy-marker (1+ (buffer-size))))
    turn))

;;;; Asking

(defun memcache--ask-turn (buffer question connection method params &optional scope)
  "Ask QUESTION of CONNECTION by METHOD with PARAMS, and write it to BUFFER.
SCOPE is what it is asked of, unless that is in PARAMS."
  (with-current-buffer buffer
    (let* ((turn (memcache--new-turn question connection))
           (token (format "emacs-%s" (gensym ""))))
      (setf (memcache--turn-token turn) token
            (memcache--turn-params turn) (list method params)
            (memcache--turn-scope turn) (or scope (plist-get params :scope)))
      (puthash token (lambda (value) (memcache--heard turn value))
               (oref connection progress))
      (memcache--send-turn turn)
      (memcache--show-stage turn "Looking for sources")
      turn)))

(defun memcache--send-turn (turn &optional again)
  "Send the question of TURN, and note whether that is early; AGAIN if it was.
A thread that is there gets no second turn that says no: then the index is
waited for."
  (memcache--look turn
                  (lambda (status)
                    (setf (memcache--turn-early turn) (memcache--indexing-p status))
                    (if (and again memcache--thread (memcache--turn-early turn))
                        (memcache--ask-later turn status)
                      (memcache--send-question turn)))))

(defun memcache--send-question (turn)
  "Send the question of TURN."
  (setf (memcache--turn-request turn)
        (memcache--request
         (memcache--turn-connection turn) (nth 0 (memcache--turn-params turn))
         (append (list :partialResultToken (memcache--turn-token turn))
                 (nth 1 (memcache--turn-params turn)))
         :success (lambda (result)
                    (memcache--answered turn (or (plist-get result :asked) result)))
         :error (lambda (problem) (memcache--heard turn (cons 'problem problem))))))

(defun memcache--answered (turn result)
  "Take RESULT, how TURN ended; a no counts where all is indexed."
  (if (equal (memcache-ask-result-finish-reason result) "no_answer")
      (memcache--look turn (lambda (status)
                             (if (or (memcache--turn-early turn) (memcache--indexing-p status))
                                 (memcache--take-back turn result status)
                               (memcache--heard turn (cons 'result result)))))
    (memcache--heard turn (cons 'result result))))

(defun memcache--look (turn function)
  "Call FUNCTION with the status of what TURN is asked of, in its buffer.
It is not called where the turn is stopped by then."
  (setf (memcache--turn-request turn)
        (memcache--ask-status
         (memcache--turn-connection turn) (memcache--turn-scope turn)
         (lambda (status)
           (when (and (memcache--turn-busy-p turn) (buffer-live-p (memcache--turn-buffer turn)))
             (with-current-buffer (memcache--turn-buffer turn)
               (funcall function status))))
         (lambda (problem) (memcache--heard turn (cons 'problem problem))))))

(defun memcache--heard (turn value)
  "Take VALUE, a piece of TURN, and have it written soon."
  (when (and (memcache--turn-busy-p turn)
             (buffer-live-p (memcache--turn-buffer turn)))
    (push value (memcache--turn-queue turn))
    (unless (memcache--turn-timer turn)
      (setf (memcache--turn-timer turn)
            (run-at-time memcache--flush-seconds nil #'memcache--flush turn)))))

(defun memcache--flush (turn)
  "Write what came of TURN; what takes longer than the budget comes next time."
  (setf (memcache--turn-timer turn) nil)
  (when (buffer-live-p (memcache--turn-buffer turn))
    (let ((values (nreverse (memcache--turn-queue turn)))
          (until (+ (float-time) memcache--flush-budget)))
      (setf (memcache--turn-queue turn) nil)
      (with-current-buffer (memcache--turn-buffer turn)
        (memcache--writing
          (while (when values           ; at least one, however slow Emacs is now
                   (setq values (memcache--write turn values))
                   (unless (memcache--turn-busy-p turn)
                     (setq values nil)) ; what a dead server said last comes behind its end
                   (< (float-time) until)))
          (memcache--dress turn nil)))
      (when values
        (setf (memcache--turn-queue turn)
              (nconc (memcache--turn-queue turn) (nreverse values)))
        (unless (memcache--turn-timer turn)
          (setf (memcache--turn-timer turn)
                (run-at-time 0.02 nil #'memcache--flush turn)))))))

(defun memcache--write (turn values)
  "Write the first of VALUES, pieces of TURN; return those that are left."
  (let ((value (pop values)))
    (pcase (if (memq (car value) '(result problem)) (car value) (memcache-partial-type value))
      ("sources" (memcache--write-sources turn value))
      ("stage" (unless (and (equal (memcache-partial-type (car values)) "delta")
                            (memcache--turn-text turn))
                 (memcache--show-stage turn (memcache--stage-text value))))
      ("delta"
       (let ((texts (list (memcache-ask-delta-text value))))
         (while (equal (memcache-partial-type (car values)) "delta")
           (push (memcache-ask-delta-text (pop values)) texts))
         (memcache--write-text turn (string-join (nreverse texts)))))
      ("citation" (memcache--write-citation turn value))
      ("unsupported" (memcache--write-unsupported turn value))
      ('result (memcache--take-result turn (cdr value)))
      ('problem (memcache--write-problem turn (cdr value)))))
  values)

;;;; Sources, stage, text

(defun memcache--write-sources (turn value)
  "Write what VALUE has as the sources of TURN."
  (let* ((connection (memcache--turn-connection turn))
         (host (oref connection host)))
    (setf (memcache--turn-first turn) (or (memcache-ask-sources-first value) 1)
          (memcache--turn-sources turn)
          (mapcar (lambda (hit) (memcache--hit-place hit host)) (memcache-ask-sources-items value)))
    (memcache--insert-sources turn "Sources")))

(defun memcache--stage-text (value)
  "Return the stage VALUE in words."
  (let ((percent (memcache-ask-stage-percent value)))
    (concat (pcase (memcache-ask-stage-stage value)
              ("waiting" "Waiting for the model")
              ("loading" "Loading the model")
              ("reading" "Reading the sources")
              ("thinking" "Thinking")
              (_ "Writing"))
            (if (> percent 0) (format " %d %%" percent) ""))))

(defun memcache--show-stage (turn text)
  "Show TEXT as what TURN is at, below its sources and in the header line."
  (let ((overlay (or (car (memcache--turn-stage turn))
                     (make-overlay (point-max) (point-max) nil t t))))
    (move-overlay overlay (point-max) (point-max))
    (overlay-put overlay 'after-string
                 (unless (memcache--turn-text turn)
                   (concat (propertize "\n" 'cursor t)
                           (propertize (concat text "…") 'face 'shadow))))
    (setf (memcache--turn-stage turn) (cons overlay text))
    (force-mode-line-update)))

(defun memcache--end-stage (turn)
  "Take away what TURN is at."
  (when (memcache--turn-stage turn)
    (delete-overlay (car (memcache--turn-stage turn)))
    (setf (memcache--turn-stage turn) nil)))

(defun memcache--write-text (turn text)
  "Write TEXT, the next piece of TURN's answer."
  (unless (memcache--turn-text turn)
    (insert "\n")
    (setf (memcache--turn-text turn) (copy-marker (point))
          (memcache--turn-markdown turn) (memcache--markdown-start (point))
          (memcache--turn-state turn) 'writing)
    (memcache--show-stage turn "Writing"))
  (goto-char (point-max))
  (insert text)
  (setf (memcache--turn-bare turn) t))


;;;; Ends

(defun memcache--take-result (turn asked)
  "Take ASKED, the result that ended TURN."
  (setf (memcache--turn-result turn) asked
        (memcache--turn-id turn) (memcache-ask-result-turn-id asked))
  (unless (string-empty-p (memcache-ask-result-thread-id asked)) ; it was not kept
    (setq memcache--thread (memcache-ask-result-thread-id asked)))
  (when-let* ((answer (and (not (memcache--turn-text turn))
                           (memcache-ask-result-answer asked))))
    (memcache--write-whole turn answer (memcache-ask-result-citations asked)))
  (memcache--end-turn turn 'done (memcache--result-text turn asked)))

(defun memcache--take-back (turn result status)
  "Forget RESULT, a no that TURN got too early, and ask again as STATUS wants it.
Of a question that was asked once one thread is to be listed."
  (unless (equal (memcache-ask-result-thread-id result) memcache--thread)
    (memcache--request (memcache--turn-connection turn) memcache-method-threads
                       (memcache-make-threads-params
                        :action "delete" :thread-id (memcache-ask-result-thread-id result))
                       :error #'ignore))
  (when (memcache--turn-timer turn)
    (cancel-timer (memcache--turn-timer turn)))
  (memcache--free-turn turn)
  (memcache--writing (delete-region (memcache--turn-body turn) (point-max)))
  (setf (memcache--turn-state turn) 'asked
        (memcache--turn-timer turn) nil
        (memcache--turn-queue turn) nil
        (memcache--turn-sources turn) nil
        (memcache--turn-cited turn) nil
        (memcache--turn-marks turn) nil
        (memcache--turn-unsupported turn) 0
        (memcache--turn-sources-start turn) nil
        (memcache--turn-text turn) nil)
  (memcache--ask-later turn status))

(defun memcache--ask-later (turn status)
  "Ask TURN again in a moment, or at once if by STATUS all is indexed now.
What a question is about is indexed next, so it may be there before the rest."
  (if (not (memcache--indexing-p status))
      (memcache--send-turn turn 'again)
    (let ((percent (memcache--indexed-percent status (memcache--turn-scope turn))))
      (memcache--show-stage
       turn (format "%s is being indexed%s, the question waits" memcache--title
                    (if percent (format " (%d %%)" percent) ""))))
    (setf (memcache--turn-retry turn)
          (run-at-time memcache--retry-seconds nil #'memcache--send-turn turn 'again))))

(defun memcache--indexed-percent (status scope)
  "Return how much of SCOPE is indexed by STATUS, nil where it is unknown."
  (let* ((roots (append (plist-get scope :roots) nil))
         (caches (append (plist-get scope :caches) nil))
         (counts
          (append
           (cl-loop for root in (memcache-status-result-roots status)
                    when (if (or roots caches)
                             (member (memcache-root-status-uri root) roots)
                           t)
                    when (equal (memcache-root-status-state root) "indexing")
                    collect (memcache-root-status-files root))
           (cl-loop for cache in (memcache-status-result-caches status)
                    when (member (memcache-cache-name cache) caches)
                    when (equal (memcache-cache-state cache) "indexing")
                    collect (memcache-cache-files cache))))
         (total (apply #'+ (mapcar #'memcache-file-counts-total counts))))
    (when (> total 0)
      (/ (* 100 (apply #'+ (mapcar #'memcache-file-counts-done counts))) total))))

(defun memcache--write-whole (turn answer citations)
  "Write ANSWER of TURN, which did not stream, with its CITATIONS."
  (unless (memcache--turn-sources turn)
    (let ((host (oref (memcache--turn-connection turn) host))
          (most (apply #'max 0 (mapcar #'memcache-cited-n citations))))
      (setf (memcache--turn-sources turn) (make-list most nil))
      (dolist (cited citations)
        (let ((place (memcache--place-of (memcache-cited-location cited) host))
              (n (memcache-cited-n cited))
              (at (memcache-cited-at cited)))
          (setf (memcache--place-status place) (memcache-cited-status cited)
                (memcache--place-passage place) (memcache-cited-passage cited))
          (push (cons n place) (memcache--turn-cited turn))
          (when at
            (push (cons (cons at n) place) (memcache--turn-marks turn)))
          (unless (nth (1- n) (memcache--turn-sources turn))
            (setf (nth (1- n) (memcache--turn-sources turn)) place))))
      (memcache--insert-sources turn "Cited")))
  (unless (string-empty-p answer)
    (memcache--write-text turn answer)))

(defun memcache--result-text (turn result)
  "Return how TURN ended by RESULT, in words."
  (let* ((evidence (memcache-ask-result-evidence result))
         (tokens (memcache-usage-answer-tokens (memcache-ask-result-usage result)))
         (unsupported (memcache--turn-unsupported turn))
         (facts (list
                 (memcache-ask-result-message result)
                 (pcase (memcache-ask-result-finish-reason result)
                   ("no_answer"
                    (unless (or (memcache-ask-result-message result)
                                (memcache--turn-text turn))
                      (format "There is no answer to this in %s." memcache--title)))
                   ("length" "It was cut at its limit, see `memcache-answer-tokens'."))
                 (when (memcache--turn-early turn)
                   "Indexing was still under way; g asks again.")
                 (when (> unsupported 0)
                   (format "What is underlined (%d) is not borne out by its citations."
                           unsupported))
                 (format "%d of %d places read%s, %.1f s"
                         (memcache-evidence-read evidence) (memcache-evidence-found evidence)
                         (if (> tokens 0) (format ", %d tokens" tokens) "")
                         (memcache-timings-total-seconds
                          (memcache-ask-result-timings result))))))
    (string-join (delq nil facts) "\n")))

(defun memcache--write-problem (turn problem)
  "Take PROBLEM, which ended TURN."
  (if (eql (plist-get problem :code) memcache-error-request-cancelled)
      (memcache--end-turn turn 'stopped "Stopped.")
    (memcache--end-turn turn 'failed (plist-get problem :message))))

(defun memcache--end-turn (turn state text)
  "Give TURN its last STATE, with TEXT as the reason."
  (when (memcache--turn-text turn)
    (memcache--dress turn t)
    (set-marker (memcache--markdown-from (memcache--turn-markdown turn)) nil))
  (memcache--end-stage turn)
  (when (memcache--turn-retry turn)
    (cancel-timer (memcache--turn-retry turn)))
  (remhash (memcache--turn-token turn)
           (oref (memcache--turn-connection turn) progress))
  (setf (memcache--turn-state turn) state
        (memcache--turn-queue turn) nil)
  (goto-char (point-max))
  (setf (memcache--turn-end turn) (copy-marker (point)))
  (insert (if (bolp) "" "\n") "\n"
          (propertize text 'face (if (eq state 'failed) 'error 'shadow)) "\n")
  (force-mode-line-update))

(defun memcache--stop-turn (turn)
  "Stop TURN at once, and tell the server; what was written stays."
  (when (memcache--turn-busy-p turn)
    (when (memcache--turn-timer turn)
      (cancel-timer (memcache--turn-timer turn))
      (memcache--flush turn))
    (when (memcache--turn-busy-p turn)
      (with-current-buffer (memcache--turn-buffer turn)
        (memcache--writing (memcache--end-turn turn 'stopped "Stopped.")))
      (memcache--cancel (memcache--turn-request turn)))))

(provide 'memcache-answer)
;;; memcache-answer.el ends here
