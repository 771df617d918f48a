;;; memcache-unit-test.el --- What needs no server  -*- lexical-binding: t; -*-

;;; Code:

(require 'memcache-test-util)

;;;; Places

(ert-deftest memcache-test-positions-and-back ()
  (with-temp-buffer
    (insert "one\ntwö\rthree\n\nlast")
    (cl-loop for (text line character) in '(("one" 0 0) ("wö" 1 1) ("three" 2 0) ("ree" 2 2)
                                            ("last" 4 0))
             do (goto-char (point-min))
             (search-forward text)
             (let* ((at (match-beginning 0)) (position (memcache--position at)))
               (should (equal position (list :line line :character character)))
               (should (equal (memcache--point position) at))))
    (narrow-to-region 9 (point-max))
    (should (equal (memcache--position (point-max)) '(:line 4 :character 4)))))

(ert-deftest memcache-test-lines-of-ranges ()
  (cl-loop for (start end-line end-character first last)
           in '((11 31 0 12 31) (11 30 5 12 31) (4 4 0 5 5) (4 4 3 5 5))
           do (should (equal (memcache--range-lines
                              (memcache-make-range
                               :start (memcache-make-position :line start :character 0)
                               :end (memcache-make-position :line end-line
                                                            :character end-character)))
                             (cons first last)))))

(ert-deftest memcache-test-uris-and-back ()
  (dolist (name '("/a/b.py" "/with space/ü%20#?.el" "/日本/x:y;z" "/tilde~/(a)[b]{c}"))
    (let ((uri (memcache--uri name)))
      (should (string-match-p "\\`file:///[!-~]+\\'" uri))
      (should-not (string-match-p "[ #?]" uri))
      (should (equal (memcache--file uri nil) name))
      (should (equal (memcache--file uri "/ssh:far:") (concat "/ssh:far:" name)))))
  (should (equal (memcache--uri "/ssh:far:/a/b") "file:///a/b"))
  (should (equal (memcache--file "file:///a/m%23n.pdf#page=12" nil) "/a/m#n.pdf"))
  (should-not (memcache--file "untitled:x" nil)))

(ert-deftest memcache-test-places-in-what-is-no-text-have-no-lines ()
  (cl-loop for (name where label) in '(("m.pdf" (:page 12) "m.pdf p. 12")
                                       ("n.ipynb" (:cell 4) "n.ipynb cell 4")
                                       ("b.epub" () "b.epub"))
           do (let ((place (memcache--place-of (apply #'memcache-test--read-out name where) nil)))
                (should (equal (memcache--place-label place) label))
                (should (equal (memcache--place-file place) (memcache-test-file name)))
                ;; News of it have `extracted' and nothing else.
                (memcache--move-place
                 place (memcache-location-range (memcache-test--read-out name)) "stale")
                (should (equal (memcache--place-label place) label))
                (should (equal (memcache--place-status place) "stale")))))

(ert-deftest memcache-test-lines-read-out-are-held-in-no-buffer ()
  (memcache-test-visiting "README.md"
    (let ((place (memcache--place-of (memcache-test--read-out "README.md") nil)))
      (should-not (memcache--held-by place))
      (memcache--hold place (current-buffer))
      (should-not (memcache--held-by place))
      (should (memcache--held-by
               (memcache--place-of (memcache-test--location "README.md" 2 6) nil))))))

(ert-deftest memcache-test-no-character-breaks-json ()
  (dolist (text (list "plain ü 日" "raw \x3fff80 byte" (string #xd800 ?a) (string #x110001)))
    (let ((clean (memcache--clean text)))
      (should (= (length clean) (length text)))
      (should (equal (json-parse-string (json-serialize (vector clean))) (vector clean))))))

;;;; Edits

(defun memcache-test--apply (text changes)
  "Return TEXT after CHANGES, as a server understands them."
  (with-temp-buffer
    (insert text)
    (seq-doseq (change changes)
      (if-let* ((range (plist-get change :range)))
          (pcase-let ((`(,start . ,end) (memcache--bounds range)))
            (delete-region start end)
            (goto-char start)
            (insert (plist-get change :text)))
        (erase-buffer)
        (insert (plist-get change :text))))
    (buffer-string)))

(defmacro memcache-test-told (messages &rest body)
  "Evaluate BODY; MESSAGES is a list of what was told, latest first."
  (declare (indent 1))
  `(cl-letf* ((,messages nil)
              ((symbol-function 'jsonrpc-notify)
               (lambda (_ method params) (push (cons method params) ,messages)))
              ((symbol-function 'jsonrpc-running-p) #'always))
     ,@body))

(defun memcache-test--edit ()
  "Change the current buffer at random."
  (let ((start (+ 1 (random (1+ (buffer-size))))))
    (pcase (random 6)
      (0 (delete-region start (min (point-max) (+ start (random 9)))))
      (1 (goto-char start) (insert "new\nline"))
      (2 (upcase-region start (min (point-max) (+ start 5))))
      (3 (goto-char start) (insert "ü\n\n"))
      (4 (save-restriction
           (narrow-to-region start (point-max))
           (goto-char (point-min))
           (when (re-search-forward "[aeiou]" nil t) (replace-match "xyz"))))
      (5 (let ((inhibit-modification-hooks (= 0 (random 4))))
           (goto-char start)
           (insert "unseen"))))))

(ert-deftest memcache-test-edits-rebuild-the-text ()
  (random "memcache")
  (memcache-test-visiting "README.md"
    (let* ((connection (memcache-test-connection)) messages)
      (oset connection roots (list (memcache-root)))
      (memcache-test-told messages
        (insert "begin")
        (memcache--sync connection)
        (should (eq (caar messages) :textDocument/didOpen))
        (let ((known (plist-get (plist-get (cdar messages) :textDocument) :text))
              (increments 0))
          (should (equal known (buffer-string)))
          (dotimes (_ 300)
            (setq messages nil)
            (dotimes (_ (1+ (random 4))) (memcache-test--edit))
            (when (= 0 (random 8)) (undo-boundary) (ignore-errors (undo-only)))
            (memcache--sync connection)
            (pcase-dolist (`(,method . ,params) (reverse messages))
              (should (eq method :textDocument/didChange))
              (let ((changes (plist-get params :contentChanges)))
                (when (plist-get (aref changes 0) :range) (cl-incf increments))
                (setq known (memcache-test--apply known changes))))
            (should (equal known (save-restriction (widen) (buffer-string)))))
          (should (> increments 100)))))))

(ert-deftest memcache-test-indirect-edits-are-seen ()
  (memcache-test-visiting "README.md"
    (let ((connection (memcache-test-connection)) messages
          (indirect (make-indirect-buffer (current-buffer) "indirect")))
      (oset connection roots (list (memcache-root)))
      (memcache-test-told messages
        (insert "x")
        (memcache--sync connection)
        (with-current-buffer indirect
          (goto-char (point-min))
          (insert "from the side"))
        (memcache--sync connection)
        (should (eq (caar messages) :textDocument/didChange))
        (should (equal (plist-get (aref (plist-get (cdar messages) :contentChanges) 0) :text)
                       (buffer-string)))
        (kill-buffer indirect)
        (setq messages nil)
        (memcache--sync connection)
        (should-not messages)
        (memcache-mode -1)
        (should (eq (caar messages) :textDocument/didClose))))))

(ert-deftest memcache-test-a-clean-buffer-is-not-told ()
  (memcache-test-visiting "README.md"
    (let ((connection (memcache-test-connection)) messages)
      (oset connection roots (list (memcache-root)))
      (memcache-test-told messages
        (memcache--sync connection)
        (should-not messages)))))

;;;; Answers

(defun memcache-test--buttons (turn)
  "Return label and lines of each button in the text of TURN."
  (let ((at (memcache--turn-text turn)) found)
    (while (setq at (if (button-at at) (button-at at) (next-button at)))
      (push (cons (button-label at) (memcache--place-label (memcache--button-place at))) found)
      (setq at (copy-marker (button-end at))))
    (nreverse found)))

(ert-deftest memcache-test-text-is-verbatim-however-it-is-cut ()
  (let ((text "# One\n\nIt *is* so [1], says `code [2]` and\n```python\ndef f():\n    return \"[1]\"\n```\n- more [1, 2] [3] [2 ]\nend"))
    (dolist (size '(1 2 7 1000))
      (memcache-test-turn
       (memcache-test--hear turn (memcache-test--hits "README.md" "docs/retries.md"))
       (apply #'memcache-test--hear turn (mapcar #'concat (seq-partition text size)))
       (memcache-test--hear turn (cons 'result memcache-test--result))
       (should (equal (memcache-test-text turn) text))
       (should (equal (mapcar #'car (memcache-test--buttons turn))
                      '("[1]" "1" "2" "[2 ]")))
       (should (eq (memcache--turn-state turn) 'done))
       (should (equal memcache--thread "t1"))))))

(ert-deftest memcache-test-code-is-fontified-as-it-comes ()
  (let ((text "Look:\n```python\ndef f():\n    \"\"\"Doc\n    string.\"\"\"\n    return None\n```\nDone `x`.\n"))
    (dolist (size '(3 1000))
      (memcache-test-turn
       (apply #'memcache-test--hear turn (mapcar #'concat (seq-partition text size)))
       (memcache-test--hear turn (cons 'result memcache-test--result))
       (memcache--code-load)            ; what an idle Emacs does
       (cl-loop for (word . face) in '(("def" . font-lock-keyword-face)
                                       ("string" . font-lock-doc-face)
                                       ("return" . font-lock-keyword-face)
                                       ("None" . font-lock-constant-face))
                do (goto-char (memcache--turn-text turn))
                (search-forward word)
                (should (memq face (ensure-list (get-text-property (match-beginning 0) 'face))))
                (should (memq 'memcache-code (get-text-property (match-beginning 0) 'face))))
       (search-forward "Done")
       (should-not (get-text-property (match-beginning 0) 'face))))))

(ert-deftest memcache-test-citations-lead-to-their-own-lines ()
  (memcache-test-turn
   (memcache-test--hear
    turn (memcache-test--hits "README.md" "docs/retries.md")
    "First [1]."
    (list :type "citation" :n 1 :location (memcache-test--location "README.md" 10 11) :status "fresh"
          :at 6)
    " Then [1, 2]"
    (list :type "citation" :n 1 :location (memcache-test--location "README.md" 20 22) :status "fresh"
          :at 16)
    " and [2], [1], gone [1]."
    (list :type "citation" :n 1 :location (memcache-test--location "README.md" 10 11) :status "fresh"
          :at 32)
    (cons 'result memcache-test--result))
   (should (equal (memcache-test--buttons turn)
                  '(("[1]" . "README.md:11-11") ("1" . "README.md:21-22")
                    ("2" . "docs/retries.md:3-6") ("[2]" . "docs/retries.md:3-6")
                    ("[1]" . "README.md:11-11") ("[1]" . "README.md:3-6"))))
   (memcache--thread-changed
    connection
    (list :threadId "t1" :turnId "t1.1"
          :stale (vector (list :n 1 :location (memcache-test--location "README.md" 12 13)
                               :status "moved"))))
   (should (equal (mapcar #'cdr (memcache-test--buttons turn))
                  '("README.md:13-13" "README.md:21-22" "docs/retries.md:3-6"
                    "docs/retries.md:3-6" "README.md:13-13" "README.md:3-6")))))

(ert-deftest memcache-test-marks-of-an-answer-that-was-kept-lead-to-their-own-lines ()
  (memcache-test-turn
   (memcache--writing
     (memcache--write-whole
      turn "First [1]. Then [1]."
      (list (list :n 1 :location (memcache-test--location "README.md" 10 11) :status "fresh" :at 6)
            (list :n 1 :location (memcache-test--location "README.md" 20 22) :status "stale" :at 16)))
     (memcache--end-turn turn 'done ""))
   (should (equal (memcache-test--buttons turn)
                  '(("[1]" . "README.md:11-11") ("[1]" . "README.md:21-22"))))
   (should (eq (button-get (next-button (+ 10 (memcache--turn-text turn))) 'face) 'memcache-stale))))

(ert-deftest memcache-test-numbers-go-on-through-a-thread ()
  (memcache-test-turn
   (memcache-test--hear turn (memcache-test--hits "README.md" "docs/retries.md") "So [2]."
                        (cons 'result memcache-test--result))
   (setq turn (memcache--ask-turn (current-buffer) "And?" connection
                                  memcache-method-ask (list :question "And?")))
   (memcache-test--hear
    turn (append (memcache-test--hits "courier/retry.py") '(:first 3))
    "First [3], then [2], never [4]."
    (list :type "citation" :n 3 :location (memcache-test--location "courier/retry.py" 4 5)
          :status "fresh")
    (cons 'result memcache-test--result))
   (should (equal (memcache-test--buttons turn)
                  '(("[3]" . "courier/retry.py:5-5") ("[2]" . "docs/retries.md:3-6"))))
   (should (string-search "\n  [3] courier/retry.py:3-6 " (buffer-string)))
   (memcache-answer-copy)
   (should (string-match-p "^3\\. \\[courier/retry\\.py:3-6\\]" (current-kill 0)))
   (memcache--thread-changed
    connection
    (list :threadId "t1" :turnId "t1.1"
          :stale (vector (list :n 3 :location (memcache-test--location "courier/retry.py" 4 5)
                               :status "stale"))))
   (should (string-match-p "\n  \\[3\\] courier/retry.py:3-6 .*changed since\n" (buffer-string)))))

(defmacro memcache-test-asked (&rest body)
  "Evaluate BODY in a buffer with a turn `turn' that the cache papers is asked."
  `(memcache-test-served
    (memcache-test-turn
     (setq memcache--title "papers")
     (setf (memcache--turn-scope turn) (list :caches ["papers"]))
     (setq memcache-test--sent nil)
     (memcache--send-turn turn)
     ,@body)))

(defun memcache-test--said (turn)
  "Write what TURN heard, and return the text of its buffer, or what it is at."
  (while (memcache--turn-queue turn)
    (memcache--flush turn))
  (or (cdr (memcache--turn-stage turn))
      (with-current-buffer (memcache--turn-buffer turn) (buffer-string))))

(defconst memcache-test--no (plist-put (copy-sequence memcache-test--result) :finishReason "no_answer")
  "How a question ended that has no answer.")

(ert-deftest memcache-test-what-is-drawn-from-half-an-index-says-so ()
  (dolist (indexing '(nil t))
    (memcache-test-asked
     (should (equal (memcache-test--answer memcache-method-status (memcache-test--status indexing))
                    '(:scope (:caches ["papers"]))))
     (memcache-test--hear turn (memcache-test--hits "README.md") "So [1].")
     (memcache-test--answer memcache-method-ask memcache-test--result)
     (should (eq (and (string-search "g asks again" (memcache-test--said turn)) t) indexing))
     (should-not memcache-test--sent))))

(ert-deftest memcache-test-a-no-is-final-where-what-was-asked-is-indexed ()
  (memcache-test-asked
   (memcache-test--answer memcache-method-status (memcache-test--status nil))
   (memcache-test--hear turn (memcache-test--hits "README.md") "Nothing in the index answers this.")
   (memcache-test--answer memcache-method-ask memcache-test--no)
   (should (memcache--busy))
   (memcache-test--answer memcache-method-status (memcache-test--status nil))
   (should (string-search "Nothing in the index answers this." (memcache-test--said turn)))
   (should-not (string-search "g asks again" (buffer-string)))
   (should (eq (memcache--turn-state turn) 'done))
   (should (equal memcache--thread "t1"))))

(ert-deftest memcache-test-an-early-no-is-asked-again ()
  (let ((memcache--retry-seconds 0))
    ;; It began after the question, or was under way and is done by now.
    (cl-loop
     for (before after written) in '((nil t nil) (t t t) (t nil nil) (nil t t))
     do (memcache-test-asked
         (memcache-test--answer memcache-method-status (memcache-test--status before))
         (dolist (value (list (memcache-test--hits "docs/retries.md")
                              '(:type "delta" :seq 0 :text "Nothing in the index answers this.")))
           (memcache--heard turn value))
         (when written
           (should (string-search "Nothing in the index" (progn (memcache-test--hear turn)
                                                                (buffer-string)))))
         (memcache-test--answer memcache-method-ask memcache-test--no)
         (memcache-test--said turn)
         (memcache-test--answer memcache-method-status (memcache-test--status after))
         (should (equal (progn (memcache-test--hear turn) (buffer-string)) "Why?\n"))
         (should-not memcache--thread)
         (should (eq (memcache--request-method (car (last memcache-test--sent)))
                     memcache-method-threads)) ; the thread is forgotten
         (setq memcache-test--sent (butlast memcache-test--sent))
         (when after
           (should (equal (memcache-test--said turn)
                          "papers is being indexed (40 %), the question waits"))
           (memcache-test-until memcache-test--sent))
         (memcache-test--answer memcache-method-status (memcache-test--status nil))
         (memcache-test--hear turn (memcache-test--hits "README.md") "So [1].")
         (memcache-test--answer memcache-method-ask memcache-test--result)
         (should-not (string-search "g asks again" (memcache-test--said turn)))
         (should (equal (memcache-test--buttons turn) '(("[1]" . "README.md:3-6"))))
         (should (eq (memcache--turn-state turn) 'done))))))

(ert-deftest memcache-test-a-thread-gets-one-early-no ()
  (let ((memcache--retry-seconds 0))
    (memcache-test-asked
     (setq memcache--thread "t1")
     (memcache-test--answer memcache-method-status (memcache-test--status t))
     (memcache-test--answer memcache-method-ask memcache-test--no)
     (memcache-test--said turn)
     (dolist (indexing '(t t t nil))
       (memcache-test-until memcache-test--sent)
       (memcache-test--answer memcache-method-status (memcache-test--status indexing)))
     (memcache-test--answer memcache-method-ask memcache-test--result)
     (memcache-test--said turn)
     (should (eq (memcache--turn-state turn) 'done)))))

(ert-deftest memcache-test-a-stopped-question-waits-no-more ()
  (memcache-test-asked
   (let ((memcache--retry-seconds 0))
     (memcache-test--answer memcache-method-status (memcache-test--status t))
     (memcache-test--answer memcache-method-ask memcache-test--no)
     (memcache-test--said turn)
     (memcache-test--answer memcache-method-status (memcache-test--status t))
     (setq memcache-test--sent nil)
     (memcache-answer-stop)
     (should (eq (memcache--turn-state turn) 'stopped))
     (should-not (memq (memcache--turn-retry turn) timer-list)))))

(ert-deftest memcache-test-a-question-that-waits-hears-of-the-end-of-its-server ()
  (memcache-test-turn
   (delete-process (jsonrpc--process connection))
   (memcache-test-until (not (jsonrpc-running-p connection)))
   (memcache--send-turn turn 'again)
   (memcache-test-until (not (memcache--busy)))
   (should (eq (memcache--turn-state turn) 'failed))
   (should (string-search "The server ended;" (buffer-string)))))

(ert-deftest memcache-test-percents-are-shown-in-header-and-mode-line ()
  (memcache-test-turn
   (setq memcache--title "100% wool")
   (memcache-test--hear turn '(:type "stage" :stage "reading" :percent 40))
   (should (string-match-p "100%% wool.*Reading the sources 40 %%" (memcache--header)))
   (let ((memcache--chosen '((nil . ("100% wool")))))
     (should (string-suffix-p " [100%% wool]" (memcache--lighter))))))

(ert-deftest memcache-test-stale-looks-stale ()
  (memcache-test-turn
   (memcache-test--hear
    turn (memcache-test--hits "README.md") "So [1]."
    (list :type "citation" :n 1 :location (memcache-test--location "README.md" 3 4) :status "fresh")
    (cons 'result memcache-test--result))
   (let ((button (next-button (memcache--turn-text turn))))
     (should (eq (button-get button 'face) 'memcache-citation))
     (memcache--thread-changed
      connection
      (list :threadId "t1" :turnId "t1.1"
            :stale (vector (list :n 1 :location (memcache-test--location "README.md" 8 9)
                                 :status "moved"))))
     (should (equal (memcache--place-label (memcache--button-place button)) "README.md:9-9"))
     (should (eq (button-get button 'face) 'memcache-citation))
     (memcache--thread-changed
      connection
      (list :threadId "t1" :turnId "t1.1"
            :stale (vector (list :n 1 :location (memcache-test--location "README.md" 8 9)
                                 :status "stale"))))
     (should (eq (button-get button 'face) 'memcache-stale))
     (goto-char (point-min))
     (should (search-forward "changed since" nil t))
     (should (string-match-p "no longer" (memcache--button-help
                                          nil (current-buffer) (button-start button))))
     (memcache--thread-changed connection (list :threadId "t1" :turnId "t1.1" :stale []))
     (should (equal (memcache--place-label (memcache--button-place button)) "README.md:4-4"))
     (should (eq (button-get button 'face) 'memcache-citation))
     (goto-char (point-min))
     (should-not (search-forward "changed since" nil t)))))

;; Of an answer that was kept only what it cited is known: source 1 is not.
(ert-deftest memcache-test-what-an-opened-thread-cited-looks-stale-too ()
  (memcache-test-turn
   (memcache--writing
     (memcache--write-whole
      turn "So [2], and [3]."
      (list (list :n 2 :location (memcache-test--location "README.md" 10 11) :status "fresh" :at 3)
            (list :n 3 :location (memcache-test--location "README.md" 20 22) :status "fresh" :at 12)))
     (memcache--end-turn turn 'done ""))
   (setf (memcache--turn-id turn) "t1.1")
   (setq memcache--thread "t1")
   (let ((before (buffer-substring-no-properties (point-min) (point-max))))
     (should-not (string-search "changed since" before))
     (memcache--thread-changed
      connection
      (list :threadId "t1" :turnId "t1.1"
            :stale (vector (list :n 3 :location (memcache-test--location "README.md" 20 22)
                                 :status "stale"))))
     (should (equal (string-replace "  changed since" ""
                                    (buffer-substring-no-properties (point-min) (point-max)))
                    before))
     (should (string-match-p "\n  \\[3\\] README.md:21-22  changed since\n" (buffer-string)))
     (should-not (string-match-p "\n  \\[2\\] .*changed since" (buffer-string))))))

(ert-deftest memcache-test-unsupported-stretches-are-marked ()
  (memcache-test-turn
   (memcache-test--hear turn "It is blue." '(:type "unsupported" :start 6 :end 10)
                        (cons 'result memcache-test--result))
   (let ((overlay (cl-find 'memcache-unsupported (overlays-in (point-min) (point-max))
                           :key (lambda (o) (overlay-get o 'face)))))
     (should (equal (buffer-substring (overlay-start overlay) (overlay-end overlay)) "blue")))
   (should (string-match-p "not borne out" (buffer-string)))))

(ert-deftest memcache-test-windows-follow-only-from-the-end ()
  (memcache-test-turn
   (switch-to-buffer (current-buffer))
   (delete-other-windows)
   (let ((first (selected-window)) (second (split-window)))
     (goto-char (point-max))
     (set-window-point second (point-min))
     (memcache-test--hear turn "one\ntwo\n" "three")
     (should (= (window-point first) (point-max)))
     (should (= (window-point second) (point-min)))
     (goto-char (point-min))
     (set-window-point second (point-max))
     (memcache-test--hear turn "four\n")
     (should (= (window-point first) (point-min)))
     (should (= (window-point second) (point-max)))
     (delete-window second))))

(ert-deftest memcache-test-a-stopped-turn-hears-no-more ()
  (memcache-test-turn
   (memcache-test--hear turn "so far")
   (memcache--heard turn '(:type "delta" :seq 1 :text ", that was waiting,"))
   (memcache-answer-stop)
   (should (eq (memcache--turn-state turn) 'stopped))
   (memcache-test--hear turn " too late")
   (should (equal (memcache-test-text turn) "so far, that was waiting,"))
   (should (= 0 (hash-table-count (oref connection progress))))
   (should-error (memcache-answer-stop) :type 'user-error)))

(ert-deftest memcache-test-a-burst-is-written-in-portions ()
  (memcache-test-turn
   (dotimes (n 60)
     (memcache--heard turn (list :type "delta" :seq n :text (format "word %d [1] " n)))
     (memcache--heard turn '(:type "stage" :stage "writing" :percent 0)))
   (let ((flushes 0) (memcache--flush-budget 0))
     (while (memcache--turn-queue turn)
       (memcache--flush turn)
       (cl-incf flushes))
     (should (> flushes 60))
     (should (string-suffix-p "word 59 [1] " (buffer-string))))))

(ert-deftest memcache-test-what-comes-behind-the-end-is-not-written ()
  "What a dead server said last may be read behind its end."
  (memcache-test-turn
   (memcache--heard turn '(:type "delta" :seq 0 :text "so far"))
   (memcache--heard turn '(problem :code -1 :message "The server ended."))
   (memcache--heard turn '(:type "delta" :seq 1 :text " too late"))
   (memcache--flush turn)
   (should (eq (memcache--turn-state turn) 'failed))
   (should-not (memcache--busy))
   (should-not (memcache--turn-queue turn))
   (should (equal (memcache-test-text turn) "so far"))))

(ert-deftest memcache-test-copies-with-links-and-exports ()
  (memcache-test-turn
   (memcache-test--hear
    turn (memcache-test--hits "README.md") "## A\nIt **is** `so` [1].\n```python\n*x\n```\n"
    (cons 'result memcache-test--result))
   (memcache-answer-copy)
   (should (equal (current-kill 0)
                  (format "## A\nIt **is** `so` [1](%1$s#L3).\n```python\n*x\n```\n\n1. [README.md:3-6](%1$s#L3)\n"
                          (memcache--uri (memcache-test-file "README.md")))))
   (memcache-answer-export)
   (set-buffer (window-buffer))
   (should (derived-mode-p 'org-mode))
   (should (equal (buffer-string)
                  (format "* Why?\n\n*** A\nIt *is* ~so~ [[file:%1$s::3][1]].\n#+begin_src python\n,*x\n#+end_src\n\n** Sources\n\n1. [[file:%1$s::3][README.md:3-6]]\n"
                          (memcache-test-file "README.md"))))
   (kill-buffer)))

;; Buttons that touch are two, and one may be where the text begins.
(ert-deftest memcache-test-neighbours-are-painted-and-exported ()
  (memcache-test-turn
   (memcache-test--hear turn (memcache-test--hits "README.md" "docs/retries.md") "[1][2] say so."
                        (cons 'result memcache-test--result))
   (memcache-answer-copy)
   (should (string-prefix-p (format "[1](%s#L3)[2](%s#L3) say so."
                                    (memcache--uri (memcache-test-file "README.md"))
                                    (memcache--uri (memcache-test-file "docs/retries.md")))
                            (current-kill 0)))
   (memcache--thread-changed
    connection
    (list :threadId "t1" :turnId "t1.1"
          :stale (vconcat (cl-loop for n in '(1 2) for name in '("README.md" "docs/retries.md")
                                   collect (list :n n :status "stale"
                                                 :location (memcache-test--location name 2 6))))))
   (dolist (offset '(0 3))
     (should (eq (get-text-property (+ (memcache--turn-text turn) offset) 'face)
                 'memcache-stale)))))

(ert-deftest memcache-test-a-narrowed-answer-is-written-at-its-end ()
  (memcache-test-turn
   (memcache-test--hear turn (memcache-test--hits "README.md") "one [1]\n```python\n")
   (narrow-to-region (point-min) (memcache--turn-body turn))
   (memcache-test--hear turn "def f(): pass\n```\n" (cons 'result memcache-test--result))
   (memcache--code-load)
   (memcache--thread-changed
    connection
    (list :threadId "t1" :turnId "t1.1"
          :stale (vector (list :n 1 :status "stale"
                               :location (memcache-test--location "README.md" 2 6)))))
   (should (equal (buffer-string) "Why?\n"))
   (memcache-answer-copy)
   (should (string-prefix-p "[1](" (substring (current-kill 0) (length "one "))))
   (widen)
   (should (equal (memcache-test-text turn) "one [1]\n```python\ndef f(): pass\n```\n"))
   (should (= 2 (how-many "changed since\\|places read" (point-min))))))

(ert-deftest memcache-test-what-was-asked-again-and-stopped-is-asked-once-more ()
  (memcache-test-served
   (memcache-test-turn
    (let ((memcache--connections (list (cons nil connection))))
      (setq memcache-test--sent nil)
      (memcache-test--hear turn "So." (cons 'result memcache-test--result))
      (dotimes (_ 2)
        (memcache-answer-again)
        (memcache-test--answer memcache-method-status (memcache-test--status nil))
        (let ((request (pop memcache-test--sent)))
          (should (eq (memcache--request-method request) memcache-method-threads))
          (should (equal (cddr (memcache--request-params request))
                         '(:action "askAgain" :threadId "t1" :turnId "t1.1"))))
        (memcache-answer-stop))
      (should (equal (mapcar #'memcache--turn-state memcache--turns) '(stopped stopped done)))))))

(ert-deftest memcache-test-an-answer-cannot-be-a-bookmark-and-says-so ()
  (memcache-test-turn
   (should (string-search "not visiting a file"
                          (error-message-string (should-error (bookmark-set "it")))))))

(ert-deftest memcache-test-brackets-in-names-leave-links-whole ()
  (memcache-test-turn
   (memcache-test--hear turn (memcache-test--hits "pages/[id].tsx") "So [1]."
                        (cons 'result memcache-test--result))
   (memcache-answer-export)
   (set-buffer (window-buffer))
   (should (equal (org-element-map (org-element-parse-buffer) 'link
                    (lambda (link) (org-element-property :path link)))
                  (make-list 2 (memcache-test-file "pages/[id].tsx"))))
   (kill-buffer)))

(ert-deftest memcache-test-pages-are-copied-and-exported-as-such ()
  (let ((page (memcache--place-of (memcache-test--read-out "m.pdf" :page 12) nil))
        (cell (memcache--place-of (memcache-test--read-out "n.ipynb" :cell 4) nil)))
    (should (equal (memcache--fragment page) "#page=12"))
    (should (equal (memcache--fragment cell) ""))
    (should (equal (memcache--org-target page)
                   (format "docview:%s::12" (memcache-test-file "m.pdf"))))
    (should (equal (memcache--org-target cell)
                   (concat "file:" (memcache-test-file "n.ipynb"))))))

(ert-deftest memcache-test-an-earlier-answer-has-no-passage-but-says-so ()
  (memcache--open (memcache--place-of (memcache-test--read-out "m.pdf" :page 12) nil))
  (with-current-buffer (window-buffer)
    (should (string-search "m.pdf p. 12" (buffer-string)))
    (should (string-search "not kept" (buffer-string)))
    (let ((place (memcache--place-of (memcache-test--read-out "m.pdf" :page 12) nil)))
      (setf (memcache--place-passage place) "It was read once.")
      (should (equal (memcache--passage-text place nil) "It was read once.")))
    (should-error (memcache-passage-open) :type 'user-error)))

(ert-deftest memcache-test-a-file-that-is-gone-is-told-not-shown ()
  (let* ((name "docs/gone.md") (file (memcache-test-file name)))
    (memcache-test-turn
     (with-temp-file file (insert "one\ntwo\nthree\nfour\nfive\n"))
     (memcache-test--hear turn (memcache-test--hits name))
     (goto-char (point-min))
     (memcache-answer-next)
     (should (overlay-buffer memcache--highlight))
     (cl-letf (((symbol-function 'file-readable-p) #'ignore))
       (memcache-answer-show))
     (should (string-prefix-p "docs/gone.md cannot be read" (memcache-test--last-message)))
     (delete-file file)
     (memcache-answer-show)
     (should (equal (memcache-test--last-message) "docs/gone.md is not there any more"))
     (should-not (overlay-buffer memcache--highlight))
     (should-error (memcache-answer-open) :type 'user-error)
     (should (eq (memcache--turn-state turn) 'asked)))))

(ert-deftest memcache-test-a-file-that-changed-is-shown-as-it-is ()
  (let* ((name "docs/changed.md") (file (memcache-test-file name)))
    (memcache-test-turn
     (unwind-protect
         (progn
           (with-temp-file file (insert "one\ntwo\nthree\nfour\nfive\n"))
           (memcache-test--hear turn (memcache-test--hits name))
           (goto-char (point-min))
           (memcache-answer-next)
           (with-temp-file file (insert "one\ntwo\nthird\nfour\nfive\n"))
           (set-file-times file (time-add nil 60))
           (memcache-answer-show)
           (should (string-search "third" (with-current-buffer memcache--preview-name
                                            (buffer-string)))))
       (delete-file file)))))

(ert-deftest memcache-test-places-follow-a-buffer-that-is-visited-later ()
  (memcache-test-turn
   (memcache-test--hear turn (memcache-test--hits "README.md"))
   (let ((place (car (memcache--turn-sources turn))))
     (should-not (memcache--held-by place))
     (memcache-test-visiting "README.md"
       (should (eq (memcache--held-by place) (current-buffer)))
       (insert "\n\n\n")
       (should (equal (memcache--place-lines place) '(6 . 9))))
     (should-not (memcache--held-by place))
     (should (equal (memcache--place-lines place) '(3 . 6))))))

(ert-deftest memcache-test-killed-answer-frees-everything ()
  (let (place connection-used)
    (memcache-test-turn
     (memcache-test-visiting "README.md"
       (with-current-buffer (memcache--turn-buffer turn)
         (memcache-test--hear turn (memcache-test--hits "README.md") "text")
         (setq place (car (memcache--turn-sources turn)) connection-used connection)
         (should (memcache--held-by place))
         (kill-buffer (memcache--turn-buffer turn))
         (should-not (memcache--held-by place))
         (should (= 0 (hash-table-count (oref connection-used progress)))))))))

;;;; Search

(defmacro memcache-test-searching (&rest body)
  "Evaluate BODY with a live search `search' whose hits come in `found', latest first."
  `(memcache-test-served
    (let* ((default-directory memcache-test-project)
           (memcache--connections (list (cons nil (memcache-test-connection))))
           (memcache--search-delay 0) (memcache--search-again-seconds 0) found
           (search (memcache--begin-search '(:caches ["papers"]) (lambda (hits) (push hits found)))))
      (oset (cdar memcache--connections) methods (list memcache-method-search memcache-method-status))
      (memcache--search-for search "walrus")
      (memcache-test-until memcache-test--sent)
      ,@body)))

(ert-deftest memcache-test-a-search-is-sent-again-when-the-index-changed ()
  (memcache-test-searching
   (should (equal (memcache-test--answer memcache-method-status (memcache-test--status t 1))
                  '(:scope (:caches ["papers"]))))
   (should (equal (plist-get (memcache-test--answer memcache-method-search
                                                    (memcache-test--results nil "README.md"))
                             :query)
                  "walrus"))
   (dolist (version '(1 1 2))           ; nothing new while it is the same
     (should (= (length found) 1))
     (memcache-test-until memcache-test--sent)
     (memcache-test--answer memcache-method-status (memcache-test--status t version)))
   (memcache-test--answer memcache-method-search (memcache-test--results nil "README.md" "docs/retries.md"))
   (should (equal (mapcar #'length found) '(2 1)))
   ;; Paused, it stays incomplete, and nobody looks any more.
   (memcache-test-until memcache-test--sent)
   (memcache-test--answer memcache-method-status (memcache-test--status nil 2))
   (should-not memcache-test--sent)
   (should-not (memq (memcache--search-timer search) timer-list))))

(ert-deftest memcache-test-a-complete-search-is-not-sent-again ()
  (memcache-test-searching
   (memcache-test--answer memcache-method-status (memcache-test--status nil))
   (memcache-test--answer memcache-method-search (memcache-test--results t "README.md"))
   (should (= (length found) 1))
   (should-not memcache-test--sent)
   (should-not (memq (memcache--search-timer search) timer-list))))

(ert-deftest memcache-test-what-comes-behind-the-next-query-is-not-taken ()
  (memcache-test-searching
   (let ((status (pop memcache-test--sent)) first)
     (memcache--search-for search "seal")
     (memcache-test-until memcache-test--sent)
     (memcache--settle status #'memcache--request-success (memcache-test--status nil))
     (memcache-test--answer memcache-method-status (memcache-test--status nil))
     (setq first (pop memcache-test--sent))
     (memcache--search-for search "seals")
     (memcache-test-until memcache-test--sent)
     (memcache--settle first #'memcache--request-success (memcache-test--results t "README.md"))
     (should-not found)
     (memcache-test--answer memcache-method-status (memcache-test--status nil))
     (should (equal (plist-get (memcache-test--answer memcache-method-search (memcache-test--results t))
                               :query)
                    "seals"))
     (should (equal found '(nil))))))

;;;; Lists

(ert-deftest memcache-test-windows-stay-where-they-are-in-a-list ()
  (with-temp-buffer
    (memcache-caches-mode)
    (setq memcache--list (list :items #'identity :row (lambda (row) (list (car row) (vconcat (make-list 6 (cdr row)))))))
    (switch-to-buffer (current-buffer))
    (delete-other-windows)
    (let ((first (selected-window)) (second (split-window)))
      (memcache--fill-list '(("a" . "1") ("b" . "1") ("c" . "1")))
      (goto-char (memcache--list-line "c"))
      (set-window-point second (memcache--list-line "b"))
      (memcache--fill-list '(("0" . "2") ("a" . "2") ("b" . "2") ("c" . "2")))
      (should (equal (tabulated-list-get-id (window-point first)) "c"))
      (should (equal (tabulated-list-get-id (window-point second)) "b"))
      (memcache--fill-list '(("a" . "3") ("c" . "3")))
      (should (equal (tabulated-list-get-id (window-point first)) "c"))
      (should (equal (tabulated-list-get-id (window-point second)) "a"))
      (delete-window second))))

(ert-deftest memcache-test-an-index-is-not-thrown-away-by-mistake ()
  (let ((default-directory memcache-test-project) (asked nil) (yes nil))
    (memcache-test-served
     (cl-letf (((symbol-function 'y-or-n-p) (lambda (prompt) (push prompt asked) yes))
               ((symbol-function 'memcache--connect) #'memcache-test-connection))
       (cl-flet ((do (action)
                   (cl-letf (((symbol-function 'completing-read) (lambda (&rest _) action)))
                     (call-interactively #'memcache-index))))
         (do "pause")
         (should-not asked)
         (should-error (do "drop") :type 'user-error)
         (should-error (do "rebuild") :type 'user-error)
         (should (equal asked '("Rebuild the index of courier? " "Drop the index of courier? ")))
         (setq yes t)
         (do "rebuild")))
     (should (equal (mapcar (lambda (request)
                              (plist-get (memcache--request-params request) :action))
                            memcache-test--sent)
                    '("rebuild" "pause"))))))

;;;; Mode line and menus

(ert-deftest memcache-test-mode-line-is-quiet-when-all-is-well ()
  (let* ((connection (memcache-test-connection))
         (memcache--connections (list (cons nil connection)))
         (default-directory memcache-test-project))
    (should (equal (memcache--lighter) ""))
    (memcache--requested connection 'window/workDoneProgress/create '(:token "b"))
    (memcache--notified connection '$/progress '(:token "b" :value (:kind "begin" :percentage 0)))
    (memcache--notified connection '$/progress '(:token "b" :value (:kind "report" :percentage 40)))
    (should (equal (memcache--lighter) " Memcache 40%%"))
    (memcache--notified connection '$/progress '(:token "b" :value (:kind "end")))
    (should (equal (memcache--lighter) ""))
    (memcache--notified connection 'memcache/didChangeStatus
                        '(:health "warning" :quiescent t :message "Mind this."))
    (should (equal (memcache--lighter) " Memcache!"))
    (should (equal (get-text-property 1 'help-echo (memcache--lighter)) "Mind this."))))

(ert-deftest memcache-test-scopes-are-named-as-they-ask ()
  (let ((default-directory memcache-test-project)
        (root (memcache--uri memcache-test-project)))
    (cl-loop for (names scope name) in
             `((("workspace") (:roots [,root]) "courier")
               (("papers") (:caches ["papers"]) "papers")
               (("papers" "workspace" "notes") (:roots [,root] :caches ["papers" "notes"])
                "courier + papers + notes"))
             do (let ((memcache--chosen nil))
                  (memcache--choose names)
                  (should (equal (memcache--scope) scope))
                  (should (equal (memcache--scope-name (memcache--scope)) name))
                  (let ((default-directory "/ssh:far:/"))
                    (should (equal (memcache--asked) '("workspace"))))
                  (memcache--choose nil)
                  (should (equal (memcache--scope) (list :roots (vector root))))))
    (should (equal (memcache--scope-name nil) "all projects"))))

(ert-deftest memcache-test-what-is-not-offered-is-in-no-menu ()
  (let* ((connection (memcache-test-connection))
         (memcache--connections (list (cons nil connection)))
         (default-directory memcache-test-project))
    (oset connection methods (list memcache-method-ask memcache-method-models))
    (should (memcache--here-p memcache-method-models))
    (should-not (memcache--here-p memcache-method-threads))))

(provide 'memcache-unit-test)
;;; memcache-unit-test.el ends here
