;;; memcache-turn.el --- A question, its answer and what it cites  -*- lexical-binding: t; -*-

;; Copyright (c) 2026 The memcache-lsp authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Owns the turns of a buffer with answers: a turn is a question, its sources,
;; the text and how it ended.  Here are its sources and citations as buttons,
;; and how they look when what they cite changes.  How a turn is asked and
;; written is in memcache-answer.el.

;;; Code:

(require 'cl-lib)
(require 'subr-x)
(require 'button)
(require 'memcache-core)
(require 'memcache-markdown)
(require 'memcache-show)

(defcustom memcache-preview t
  "Whether the lines of the citation at point are shown in another window."
  :type 'boolean
  :group 'memcache)

(defface memcache-question '((t :inherit bold :height 1.1))
  "Face of questions."
  :group 'memcache)

(defface memcache-citation '((t :inherit link))
  "Face of the numbers that lead to lines."
  :group 'memcache)

(defface memcache-stale '((t :inherit warning :strike-through t))
  "Face of citations whose lines no longer say what was read."
  :group 'memcache)

(defface memcache-unsupported '((((supports :underline (:style wave)))
                                 :underline (:style wave :color "orange"))
                                (t :inherit warning :underline t))
  "Face of stretches of an answer that its citations do not bear out."
  :group 'memcache)

(cl-defstruct (memcache--turn (:copier nil))
  "A question and its answer in a buffer.
STATE is `asked', `writing', `done', `stopped' or `failed'; EARLY if it was
asked while the project was being indexed, BARE while new text is not
fontified.  SOURCES are places
in order; CITED are (N . PLACE), latest first; MARKS are (OFFSET . PLACE), what
a [n] at an offset of the text stands for."
  buffer question id state connection request token params
  queue timer stage
  sources cited marks sources-start text end markdown (unsupported 0) result early bare)

(defvar-local memcache--thread nil
  "Id of the thread that this buffer shows, nil while it has none.")

(defvar-local memcache--turns nil
  "The turns of this buffer, latest first.")

(defvar-local memcache--title nil
  "Names of what the latest question of this buffer was asked of.")

(defun memcache--busy (&optional buffer)
  "Return the turn that is being written in BUFFER, by default the current one."
  (when-let ((turn (car (buffer-local-value 'memcache--turns (or buffer (current-buffer))))))
    (and (memq (memcache--turn-state turn) '(asked writing)) turn)))

(defun memcache--turn-places (turn)
  "Return all places of TURN."
  (append (remq nil (memcache--turn-sources turn))
          (mapcar #'cdr (memcache--turn-cited turn))))

(defun memcache--insert-sources (turn title)
  "Insert the sources of TURN under TITLE."
  (when (memcache--turn-sources turn)
    (insert "\n" (propertize title 'face 'shadow) "\n")
    (setf (memcache--turn-sources-start turn) (copy-marker (point)))
    (cl-loop for place in (memcache--turn-sources turn) for n from 1
             do (memcache--insert-source turn place n))))

(defun memcache--insert-source (turn place n)
  "Insert PLACE, source N of TURN, as a line."
  (let ((hit (memcache--place-hit place)))
    (insert "  ")
    (insert-text-button (format "[%d] %s" n (memcache--place-label place))
                        :type 'memcache-citation 'memcache-place place
                        'memcache-turn turn
                        'face (memcache--place-face place))
    (when hit
      (insert (propertize (concat "  " (string-trim-right (format "%s %s" (memcache-hit-kind hit)
                                                                  (memcache-hit-symbol hit)))
                                  (memcache--hit-origin hit))
                          'face 'shadow)))
    (when (equal (memcache--place-status place) "stale")
      (insert (propertize "  changed since" 'face 'warning)))
    (insert "\n")))

(defun memcache--place-face (place)
  "Return the face of a button that leads to PLACE."
  (if (equal (memcache--place-status place) "stale") 'memcache-stale 'memcache-citation))

(defun memcache--dress (turn final)
  "Fontify the text of TURN that is bare, FINAL if it is complete."
  (when (and (memcache--turn-text turn) (or final (memcache--turn-bare turn)))
    (setf (memcache--turn-bare turn) nil)
    (memcache--markdown-advance
     (memcache--turn-markdown turn) (point-max) final
     (lambda (start end) (memcache--make-buttons turn start end)))))

(define-button-type 'memcache-citation
  'action #'memcache--push
  'follow-link t
  'face 'memcache-citation
  'help-echo #'memcache--button-help)

(defun memcache--push (button)
  "Open the lines of BUTTON in another window."
  (memcache--open (memcache--button-place button) t))

(defun memcache--button-place (button)
  "Return the place that BUTTON leads to."
  (or (button-get button 'memcache-place)
      (memcache--mark-place (button-get button 'memcache-turn)
                            (button-get button 'memcache-n)
                            (button-start button))))

(defun memcache--button-help (_window object position)
  "Return what there is to tell about the button at POSITION of OBJECT."
  (when-let* ((buffer (if (overlayp object) (overlay-buffer object) object))
              (place (with-current-buffer buffer
                       (when-let ((button (button-at position)))
                         (memcache--button-place button)))))
    (concat (memcache--place-label place)
            (pcase (memcache--place-status place)
              ("stale" ": these lines no longer say what was read")
              ("moved" ": moved since it was read")))))

(defun memcache--mark-place (turn n position)
  "Return the place of the [N] at POSITION in the text of TURN."
  (or (cdr (assq (- position (memcache--turn-text turn)) (memcache--turn-marks turn)))
      (cdr (assq n (reverse (memcache--turn-cited turn))))
      (and (> n 0) (nth (1- n) (memcache--turn-sources turn)))))

(defun memcache--make-buttons (turn start end)
  "Turn each [n] of TURN between START and END into a button."
  (remove-text-properties start end '(button nil category nil))
  (save-excursion
    (goto-char start)
    (while (re-search-forward "\\[ *[0-9]\\{1,4\\}\\(?: *[,;–-] *[0-9]\\{1,4\\}\\)* *\\]" end t)
      (let ((from (match-beginning 0)) (to (match-end 0)))
        (goto-char from)
        (while (re-search-forward "[0-9]+" to t)
          (let* ((n (string-to-number (match-string 0)))
                 (alone (save-match-data
                          (not (string-match-p "[,;–-]" (buffer-substring from to)))))
                 (first (if alone from (match-beginning 0)))
                 (place (memcache--mark-place turn n first)))
            (when place
              (make-text-button first (if alone to (match-end 0))
                                :type 'memcache-citation 'memcache-n n 'memcache-turn turn
                                'face (memcache--place-face place)))))
        (goto-char to)))))

(defun memcache--write-citation (turn cited)
  "Take CITED: the lines that a [n] in the text of TURN so far stands for.
It is the last such [n] that has no lines of its own."
  (let* ((n (memcache-ask-citation-n cited))
         (source (nth (1- n) (memcache--turn-sources turn)))
         (place (memcache--place-of (memcache-ask-citation-location cited)
                                    (oref (memcache--turn-connection turn) host)
                                    (and source (memcache--place-path source)))))
    (setf (memcache--place-status place) (memcache-ask-citation-status cited)
          (memcache--place-hit place) (and source (memcache--place-hit source)))
    (memcache--dress turn nil)
    (push (cons n place) (memcache--turn-cited turn))
    (when-let* ((text (memcache--turn-text turn))
                (button (memcache--last-mark turn n)))
      (push (cons (- (button-start button) text) place) (memcache--turn-marks turn))
      (memcache--paint button place))))

(defun memcache--last-mark (turn n)
  "Return the last button [N] in the text of TURN without lines of its own."
  (save-excursion
    (goto-char (point-max))
    (let ((text (memcache--turn-text turn)) found button)
      (while (and (not found)
                  (setq button (ignore-errors (previous-button (point))))
                  (>= (button-start button) text))
        (goto-char (button-start button))
        (when (and (eql (button-get button 'memcache-n) n)
                   (not (assq (- (point) text) (memcache--turn-marks turn))))
          (setq found (copy-marker (point)))))
      (and found (button-at found)))))

(defun memcache--paint (button place)
  "Have BUTTON look as PLACE does."
  (put-text-property (button-start button) (button-end button)
                     'face (memcache--place-face place)))

(defun memcache--write-unsupported (turn stretch)
  "Mark STRETCH of the text of TURN as not borne out."
  (when-let ((text (memcache--turn-text turn)))
    (let ((overlay (make-overlay
                    (min (point-max) (+ text (memcache-ask-unsupported-start stretch)))
                    (min (point-max) (+ text (memcache-ask-unsupported-end stretch))))))
      (cl-incf (memcache--turn-unsupported turn))
      (overlay-put overlay 'face 'memcache-unsupported)
      (overlay-put overlay 'help-echo "Its citations do not bear this out"))))

(defun memcache--thread-changed (connection params)
  "Show what PARAMS say of citations of an answer that CONNECTION gave."
  (dolist (buffer (buffer-list))
    (when (and (eq (buffer-local-value 'major-mode buffer) 'memcache-answer-mode)
               (equal (buffer-local-value 'memcache--thread buffer)
                      (memcache-did-change-thread-params-thread-id params)))
      (with-current-buffer buffer
        (dolist (turn memcache--turns)
          (when (and (eq (memcache--turn-connection turn) connection)
                     (equal (memcache--turn-id turn)
                            (memcache-did-change-thread-params-turn-id params)))
            (dolist (cited (memcache-did-change-thread-params-stale params))
              (memcache--update-citation turn cited))
            (memcache--repaint turn)))))))

(defun memcache--update-citation (turn cited)
  "Take the lines and status of CITED for what TURN cites."
  (let* ((n (memcache-cited-n cited))
         (line (memcache-position-line
                (memcache-range-start (memcache-location-range (memcache-cited-location cited)))))
         (far (lambda (place)
                     (abs (- (car (memcache--place-lines place)) line 1))))
         (places (cl-loop for (m . place) in (memcache--turn-cited turn)
                          when (eql m n) collect place)))
    (when places
      (memcache--move-place
       (car (sort places (lambda (a b) (< (funcall far a) (funcall far b)))))
       cited))
    (when-let ((source (nth (1- n) (memcache--turn-sources turn))))
      (setf (memcache--place-status source) (memcache-cited-status cited)))))

(defun memcache--repaint (turn)
  "Paint sources and citations of TURN as their places want it."
  (with-silent-modifications
    (let ((inhibit-read-only t))
      (save-excursion
        (when-let ((start (memcache--turn-sources-start turn)))
          (goto-char start)
          (cl-loop for place in (memcache--turn-sources turn) for n from 1
                   do (delete-region (point) (line-beginning-position 2))
                   (memcache--insert-source turn place n)))
        (when-let ((at (memcache--turn-text turn)))
          (while (and (setq at (next-button at))
                      (< (button-start at) (or (memcache--turn-end turn) (point-max))))
            (memcache--paint at (memcache--button-place at))
            (setq at (button-end at))))))))

(defun memcache--insert-cited (turn)
  "Insert the sources of TURN that are known, those that were cited."
  (when (memcache--turn-sources turn)
    (insert "\n" (propertize "Cited" 'face 'shadow) "\n")
    (cl-loop for place in (memcache--turn-sources turn) for n from 1
             when place do (memcache--insert-source turn place n))))

(add-hook 'memcache--thread-functions #'memcache--thread-changed)

(provide 'memcache-turn)
;;; memcache-turn.el ends here
