;;; memcache-frames-test.el --- What needs an Emacs that shows something  -*- lexical-binding: t; -*-

;;; Commentary:

;; Emacs is in a terminal or in a window here, so that it can have a second frame.

;;; Code:

(require 'memcache-test-util)

(defmacro memcache-test-two-frames (&rest body)
  "Evaluate BODY with two frames, `one' being selected and `two', of a window each."
  `(let* ((one (selected-frame)) (two (make-frame)))
     (unwind-protect
         (progn
           (select-frame-set-input-focus one)
           (delete-other-windows (frame-root-window one))
           ,@body)
       (when (frame-live-p two) (delete-frame two))
       (select-frame-set-input-focus one)
       (delete-other-windows))))

(defun memcache-test--in (frame function)
  "Call FUNCTION as a command in the answer that FRAME shows."
  (select-frame-set-input-focus frame)
  (with-current-buffer (window-buffer)
    (funcall function)))

(ert-deftest memcache-test-each-frame-follows-where-it-is-at-the-end ()
  (memcache-test-turn
   (memcache-test-two-frames
    (dolist (frame (list one two))
      (set-window-buffer (frame-root-window frame) (current-buffer)))
    (memcache-test--hear turn (memcache-test--hits "README.md") "one\n")
    (set-window-point (frame-root-window one) (point-min))
    (set-window-point (frame-root-window two) (point-max))
    (memcache-test--hear turn "two\n")
    (should (= (window-point (frame-root-window one)) (point-min)))
    (should (= (window-point (frame-root-window two)) (point-max)))
    ;; A frame that goes does not take the answer along.
    (delete-frame two)
    (memcache-test--hear turn "three\n" (cons 'result memcache-test--result))
    (should (eq (memcache--turn-state turn) 'done))
    (should (equal (memcache-test-text turn) "one\ntwo\nthree\n")))))

(ert-deftest memcache-test-lines-are-shown-in-the-frame-where-one-is ()
  (memcache-test-turn
   (memcache-test--hear turn (memcache-test--hits "README.md" "docs/retries.md") "So [2]."
                        (cons 'result memcache-test--result))
   (let ((answer (current-buffer)))
     (memcache-test-two-frames
      (dolist (frame (list one two))
        (set-window-buffer (frame-root-window frame) answer))
      (memcache-test--in two (lambda () (goto-char (point-min)) (memcache-answer-next)))
      (let ((preview (get-buffer memcache--preview-name)))
        (should (get-buffer-window preview two))
        (should-not (get-buffer-window preview one))
        ;; The same buffer in the other frame, at another place.
        (memcache-test--in one (lambda () (goto-char (point-min)) (memcache-answer-next 2)))
        (should (equal (buffer-local-value 'memcache--previewed preview)
                       (memcache-test-file "docs/retries.md")))
        (should (get-buffer-window preview one))
        (memcache-test--in one #'memcache-answer-open)
        (should (eq (selected-frame) one))
        (should (equal (buffer-file-name (window-buffer)) (memcache-test-file "docs/retries.md")))
        (should-not (buffer-live-p preview))
        (should (get-buffer-window answer two))))
     (kill-buffer (get-file-buffer (memcache-test-file "docs/retries.md"))))))

(ert-deftest memcache-test-typed-results-stay-in-their-frame ()
  (memcache-test-two-frames
   (select-frame-set-input-focus two)
   (let* ((default-directory memcache-test-project)
          (hit (aref (plist-get (memcache-test--hits "README.md") :items) 0))
          (search (make-memcache--search :connection (memcache-test-connection)))
          (window (frame-root-window two)))
     (memcache--live-xrefs (list hit) search window)
     (should (get-buffer-window "*xref*" two))
     (should-not (get-buffer-window "*xref*" one))
     (delete-frame two)
     (memcache--live-xrefs (list hit) search window)) ; came too late, and nothing happens
   (should-not (get-buffer-window "*xref*" t))))

(defun memcache-test--type (&rest steps)
  "Do STEPS one after the other while the minibuffer is in use.
Each is keys that are typed, or a function that is called until it is true."
  (let ((end (+ (float-time) memcache-test-patience)) timer)
    (setq timer (run-at-time
                 0.05 0.05
                 (lambda ()
                   (when (> (float-time) end)
                     (cancel-timer timer)
                     (message "It did not happen: %S" (car steps))
                     (abort-recursive-edit))
                   (when-let* ((window (active-minibuffer-window)) (step (car steps)))
                     (when (with-selected-window window
                             (if (functionp step) (funcall step)
                               (setq unread-command-events (listify-key-sequence step))))
                       (pop steps)))
                   (unless steps (cancel-timer timer)))))))

(ert-deftest memcache-test-a-choice-is-kept-when-more-is-found ()
  (memcache-test-served
   (memcache-test-two-frames
    (let* ((default-directory memcache-test-project) (memcache--search-again-seconds 0)
           (connection (memcache-test-connection))
           (memcache--connections (list (cons nil connection)))
           (answers (lambda (method result)
                      (lambda ()
                        (when memcache-test--sent
                          (memcache-test--answer method result)))))
           (current (lambda (path)
                      (lambda ()
                        (string-prefix-p path (or (memcache--current-candidate) ""))))))
      (memcache-test--type
       "x"
       (funcall answers memcache-method-status (memcache-test--status t 1))
       (funcall answers memcache-method-search
                (memcache-test--results nil "README.md" "docs/retries.md" "courier/queue.py"))
       (funcall current "README.md")
       (kbd "C-n")
       (funcall current "docs/retries.md")
       (funcall answers memcache-method-status (memcache-test--status t 2))
       (funcall answers memcache-method-search
                (memcache-test--results nil "courier/retry.py" "README.md" "docs/retries.md"))
       (lambda () (= (safe-length completion-all-sorted-completions) 3))
       (funcall current "docs/retries.md")
       ;; What was not chosen gives way to what is better.
       (kbd "C-p C-p")
       (funcall current "courier/retry.py")
       (funcall answers memcache-method-status (memcache-test--status t 3))
       (funcall answers memcache-method-search
                (memcache-test--results nil "docs/retries.md" "courier/retry.py"))
       (funcall current "docs/retries.md")
       (kbd "RET"))
      (memcache-jump)
      (should (equal buffer-file-name (memcache-test-file "docs/retries.md")))
      (kill-buffer)))))

(provide 'memcache-frames-test)
;;; memcache-frames-test.el ends here
