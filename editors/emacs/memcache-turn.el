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
STATE is `asked', `writing', `done', `stopped' or `failed'; EARLY if SCOPE, what
it was asked of, was being indexed then; RETRY is the timer that asks it again.
What is written of it begins at BODY.
SOURCES are places in order, the first of which is number FIRST; lower ones are
sources of earlier turns.  CITED are (N . PLACE), latest first; MARKS are
\((OFFSET . N) . PLACE), what N stands for in the brackets at an offset of the
text, which is BARE while what is new in it is not fontified."
  buffer question id state connection request token params scope
  queue timer stage early retry body
  sources (first 1) cited marks sources-start text end markdown (unsupported 0)
  result bare)

(defvar-local memcache--thread nil
  "Id of the thread that this buffer shows, nil while it has none.")

(defvar-local memcache--turns nil
  "The turns of this buffer, latest first.")

(defvar-local memcache--title nil
  "Names of what the latest question of this buffer was asked of.")

(defun memcache--turn-busy-p (turn)
  "Tell whether TURN is still being written."
  (memq (memcache--turn-state turn) '(asked writing)))

(defun memcache--busy (&optional buffer)
  "Return the turn that is being written in BUFFER, by default the current one."
  (when-let* ((turn (car (buffer-local-value 'memcache--turns (or buffer (current-buffer))))))
    (and (memcache--turn-busy-p turn) turn)))

(defun memcache--turn-places (turn)
  "Return all places of TURN."
  (append (remq nil (memcache--turn-sources turn))
          (mapcar #'cdr (memcache--turn-cited turn))))

(defun memcache--source (turn n)
  "Return the source N of TURN or of an earlier one of its thread, or nil."
  (cl-loop for each in (memq turn (buffer-local-value 'memcache--turns (memcache--turn-buffer turn)))
           for first = (memcache--turn-first each)
           thereis (and (>= n first) (nth (- n first) (memcache--turn-sources each)))))

(defun memcache--insert-sources (turn title)
  "Insert the sources of TURN that are known under TITLE."
  (when (memcache--turn-sources turn)
    (insert "\n" (propertize title 'face 'shadow) "\n")
    (setf (memcache--turn-sources-start turn) (copy-marker (point)))
    (cl-loop for place in (memcache--turn-sources turn) for n from (memcache--turn-first turn)
             when place do (memcache--insert-source turn place n))))

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
      (let ((turn (button-get button 'memcache-turn)))
        (memcache--mark-place turn (button-get button 'memcache-n)
                              (+ (memcache--turn-text turn) (button-get button 'memcache-mark))))))

(defun memcache--button-help (_window object position)
  "Return what there is to tell about the button at POSITION of OBJECT."
  (when-let* ((buffer (if (overlayp object) (overlay-buffer object) object))
              (place (with-current-buffer buffer
                       (when-let* ((button (button-at position)))
                         (memcache--button-place button)))))
    (concat (memcache--place-label place)
            (pcase (memcache--place-status place)
              ("stale" ": these lines no longer say what was read")
              ("moved" ": moved since it was read")))))

(defun memcache--mark-place (turn n position)
  "Return the place of N in the brackets at POSITION in the text of TURN."
  (let ((marks (memcache--turn-marks turn)))
    (or (cdr (assoc (cons (- position (memcache--turn-text turn)) n) marks))
        (cl-loop for (m . place) in (reverse (memcache--turn-cited turn))
                 when (and (eql m n) (not (rassq place marks))) return place)
        (memcache--source turn n))))

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
                 (place (memcache--mark-place turn n from)))
            (when place
              (make-text-button first (if alone to (match-end 0))
                                :type 'memcache-citation 'memcache-n n 'memcache-turn turn
                                'memcache-mark (- from (memcache--turn-text turn))
                                'face (memcache--place-face place)))))
        (goto-char to)))))

(defun memcache--write-citation (turn cited)
  "Take CITED: the lines that a [n] in the text of TURN so far stands for."
  (let* ((n (memcache-ask-citation-n cited))
         (at (memcache-ask-citation-at cited))
         (source (memcache--source turn n))
         (place (memcache--place-of (memcache-ask-citation-location cited)
                                    (oref (memcache--turn-connection turn) host)
                                    (and source (memcache--place-path source)))))
    (setf (memcache--place-status place) (memcache-ask-citation-status cited)
          (memcache--place-hit place) (and source (memcache--place-hit source)))
    (push (cons n place) (memcache--turn-cited turn))
    (when at
      (push (cons (cons at n) place) (memcache--turn-marks turn)))
    (memcache--dress turn nil)
    (when (and at (memcache--turn-text turn))
      (memcache--paint-mark turn at))))

(defun memcache--paint-mark (turn at)
  "Paint the buttons within the brackets at offset AT of the text of TURN."
  (let ((position (+ (memcache--turn-text turn) at)) button)
    (while (and (setq button (or (button-at position) (next-button position)))
                (eql (button-get button 'memcache-mark) at)
                (eq (button-get button 'memcache-turn) turn))
      (memcache--paint button (memcache--button-place button))
      (setq position (button-end button)))))

(defun memcache--paint (button place)
  "Have BUTTON look as PLACE does."
  (put-text-property (button-start button) (button-end button)
                     'face (memcache--place-face place)))

(defun memcache--write-unsupported (turn stretch)
  "Mark STRETCH of the text of TURN as not borne out."
  (when-let* ((text (memcache--turn-text turn)))
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
            (memcache--update-citations turn (memcache-did-change-thread-params-stale params))
            (dolist (other memcache--turns) ; a number may be that of an earlier turn's source
              (unless (memcache--turn-busy-p other)
                (memcache--repaint other)))))))))

(defun memcache--update-citations (turn changed)
  "Take the lines and status of CHANGED, all that changed of what TURN cites.
The others say what was read, where it was read."
  (let ((stale (cl-loop for cited in changed append (memcache--update-citation turn cited)))
        (told (mapcar #'memcache-cited-n changed)))
    (pcase-dolist (`(,n . ,place) (memcache--turn-cited turn))
      (unless (or (memq place stale) (equal (memcache--place-status place) "fresh"))
        (memcache--move-place place (memcache--place-read place) "fresh"))
      (when-let* ((source (and (not (memql n told)) (memcache--source turn n))))
        (setf (memcache--place-status source) "fresh")))))

(defun memcache--update-citation (turn cited)
  "Take the lines and status of CITED for what TURN cites.
Return the places that it is about."
  (let* ((n (memcache-cited-n cited))
         (line (memcache-position-line
                (memcache-range-start (memcache-location-range (memcache-cited-location cited)))))
         (far (lambda (place)
                     (abs (- (car (memcache--place-lines place)) line 1))))
         (places (cl-loop for (m . place) in (memcache--turn-cited turn)
                          when (eql m n) collect place))
         (nearest (car (sort (copy-sequence places)
                             (lambda (a b) (< (funcall far a) (funcall far b))))))
         (meant (when nearest           ; several marks may stand for these lines
                  (let ((file (memcache--place-file nearest)) (lines (memcache--place-lines nearest)))
                    (seq-filter (lambda (place)
                                  (and (equal (memcache--place-file place) file)
                                       (equal (memcache--place-lines place) lines)))
                                places)))))
    (dolist (place meant)
      (memcache--move-place place (memcache-location-range (memcache-cited-location cited))
                            (memcache-cited-status cited)))
    (when-let* ((source (memcache--source turn n)))
      (setf (memcache--place-status source) (memcache-cited-status cited)))
    meant))

(defun memcache--repaint (turn)
  "Paint sources and citations of TURN as their places want it."
  (with-silent-modifications
    (let ((inhibit-read-only t))
      (memcache--widened
        (when-let* ((start (memcache--turn-sources-start turn)))
          (goto-char start)
          (cl-loop for place in (memcache--turn-sources turn) for n from (memcache--turn-first turn)
                   when place do (delete-region (point) (line-beginning-position 2))
                   and do (memcache--insert-source turn place n)))
        (when-let* ((at (memcache--turn-text turn)))
          (while (and (setq at (next-button at t))
                      (< (button-start at) (or (memcache--turn-end turn) (point-max))))
            (memcache--paint at (memcache--button-place at))
            (setq at (button-end at))))))))

(add-hook 'memcache--thread-functions #'memcache--thread-changed)

(provide 'memcache-turn)
;;; memcache-turn.el ends here
