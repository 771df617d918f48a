;;; memcache-show.el --- Lines, pages and passages in windows  -*- lexical-binding: t; -*-

;; Copyright (c) 2026 The memcache-lsp authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Owns how a place is shown.  Of a text these are its lines, in a buffer that
;; visits the file or in one made to look at it.  A page of a PDF is shown by
;; pdf-tools or doc-view where a frame has pictures.  Of every other file that is
;; no text it is the passage itself, as it was found, from where the file can be
;; opened as a whole.

;;; Code:

(require 'xref)
(require 'memcache-place)

;; Of pdf-tools, doc-view and Windows; what is not there is not called.
(declare-function pdf-view-goto-page "ext:pdf-view")
(declare-function doc-view-goto-page "doc-view")
(declare-function doc-view-mode-p "doc-view")
(declare-function w32-shell-execute "w32fns.c")

(defface memcache-highlight '((t :inherit highlight :extend t))
  "Face of the lines that a citation shows."
  :group 'memcache)

;;;; Lines

(defvar memcache--highlight nil
  "The overlay on the lines that were shown last.")

(defvar memcache--preview nil
  "The buffer with a file that nothing visits, made to look at it.")

(defconst memcache--preview-name "*memcache preview*"
  "Name of that buffer.")

(defconst memcache--preview-limit 1048576
  "Larger files are not previewed, in bytes.")

(defun memcache--unhighlight ()
  "Take the highlight away."
  (when memcache--highlight
    (delete-overlay memcache--highlight)))

(defun memcache--mark-lines (start end)
  "Highlight the lines from START to END of the current buffer."
  (unless memcache--highlight
    (setq memcache--highlight (make-overlay 1 1)))
  (overlay-put memcache--highlight 'face 'memcache-highlight)
  (move-overlay memcache--highlight
                (save-excursion (goto-char start) (line-beginning-position))
                (save-excursion (goto-char end)
                                (if (and (bolp) (> end start)) end
                                  (min (1+ (line-end-position)) (point-max))))
                (current-buffer)))

(defun memcache--show-lines (window start end)
  "Show the lines from START to END in WINDOW, widened where they are hidden."
  (with-current-buffer (window-buffer window)
    (when (or (< start (point-min)) (> end (point-max)))
      (widen))
    (memcache--mark-lines start end)
    (set-window-point window start)
    (with-selected-window window
      (goto-char start)
      (recenter (/ (window-body-height) 4)))))

(defvar-local memcache--previewed nil
  "The file whose text this buffer shows.")
(put 'memcache--previewed 'permanent-local t)

(defvar-local memcache--preview-changed nil
  "When that file was changed last, as it was read.")
(put 'memcache--preview-changed 'permanent-local t)

(defun memcache--preview-buffer (file)
  "Return a buffer with the text of FILE, nil where that cannot be shown."
  (when-let* ((attributes (and (file-readable-p file) (file-attributes file))))
    (when (<= (file-attribute-size attributes) memcache--preview-limit)
      (let ((changed (file-attribute-modification-time attributes)))
        (setq memcache--preview (get-buffer-create memcache--preview-name))
        (with-current-buffer memcache--preview
          (unless (and (equal memcache--previewed file)
                       (equal memcache--preview-changed changed))
            (memcache--fill-preview file)
            (setq memcache--preview-changed changed))))
      memcache--preview)))

(defun memcache--fill-preview (file)
  "Fill the current buffer with the text of FILE, in its mode but without hooks."
  (let ((inhibit-read-only t)
        (enable-local-variables nil)
        (inhibit-message t)             ; a mode may tell what it guesses of the file
        (buffer-undo-list t))
    (fundamental-mode)
    (erase-buffer)
    (insert-file-contents file)
    (setq memcache--previewed file
          default-directory (file-name-directory file))
    (delay-mode-hooks
      (let ((buffer-file-name file))
        (set-auto-mode)))
    (setq buffer-read-only t)
    (set-buffer-modified-p nil)
    (font-lock-mode 1)))

(defun memcache--end-preview ()
  "Take highlight and preview away."
  (memcache--unhighlight)
  (when (buffer-live-p memcache--preview)
    (let ((kill-buffer-query-functions nil))
      (when-let* ((window (get-buffer-window memcache--preview t)))
        (quit-restore-window window 'bury))
      (kill-buffer memcache--preview))))

;;;; Passages

(defvar-local memcache--passage-place nil
  "The place whose passage this buffer shows.")

(defvar memcache-passage-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map "\r" #'memcache-passage-open)
    (define-key map "o" #'memcache-passage-open)
    map)
  "Keys in passages.")

(define-derived-mode memcache-passage-mode special-mode "Passage"
  "Mode of the buffer with a passage of a file that is no text.

\\{memcache-passage-mode-map}"
  :interactive nil
  (setq-local header-line-format
              (concat " " (propertize "RET" 'face 'help-key-binding) " opens the file as a whole")
              word-wrap t))

(defun memcache--passage (place name)
  "Return the buffer NAME with the passage of PLACE, as it was found."
  (let ((hit (memcache--place-hit place)))
    (with-current-buffer (get-buffer-create name)
      (memcache-passage-mode)
      (setq memcache--passage-place place
            memcache--previewed nil)
      (let ((inhibit-read-only t))
        (erase-buffer)
        (insert (propertize (memcache--place-label place) 'face 'bold) "\n")
        (when-let* ((around (and hit (memcache-hit-breadcrumb hit))))
          (insert (propertize (string-join around " › ") 'face 'shadow) "\n"))
        (insert "\n" (memcache--passage-text place hit) "\n"))
      (goto-char (point-min))
      (current-buffer))))

(defun memcache--passage-text (place hit)
  "Return the text of PLACE, the first lines of HIT, which may be nil."
  (cond ((null hit)
         (or (memcache--place-passage place)
             "What was read there is not kept with an earlier answer."))
        ((equal (memcache--place-range place)
                (memcache-location-range (memcache-hit-location hit)))
         (memcache-hit-snippet hit))
        (t (concat (propertize "It is cited from a passage that begins:" 'face 'shadow) "\n\n"
                   (memcache-hit-snippet hit)))))

(defun memcache-passage-open ()
  "Open the file that the passage is from, as a whole."
  (interactive)
  (memcache--open-file (memcache--place-file memcache--passage-place)))

;;;; Pages and whole files

(defun memcache--file-mode (file)
  "Return the mode that a name as that of FILE has, nil where it has none.
Until it is loaded, pdf-tools has a function without a name in place of it."
  (let ((mode (assoc-default file auto-mode-alist #'string-match-p)))
    (cond ((symbolp mode) mode)
          ((and (functionp mode) (featurep 'pdf-loader)) 'pdf-view-mode))))

(defun memcache--pages-p (file)
  "Tell whether pages of FILE can be shown here."
  (and (display-graphic-p)
       (pcase (memcache--file-mode file)
         ('pdf-view-mode t)
         ((or 'doc-view-mode 'doc-view-mode-maybe)
          (and (require 'doc-view nil t)
               (doc-view-mode-p (pcase (downcase (or (file-name-extension file) ""))
                                  ("pdf" 'pdf) ("epub" 'epub) (_ 'odf))))))))

(defun memcache--turn-to (buffer page)
  "Have the windows that show BUFFER show its PAGE."
  (dolist (window (get-buffer-window-list buffer nil t))
    (with-selected-window window
      (with-demoted-errors "Memcache: %S"
        (cond ((derived-mode-p 'pdf-view-mode) (pdf-view-goto-page page))
              ((derived-mode-p 'doc-view-mode) (doc-view-goto-page page)))))))

(defun memcache--text-p (file)
  "Tell whether FILE is text, uncompressed where Emacs does that."
  (with-temp-buffer
    (insert-file-contents file nil 0 4096)
    (not (search-forward "\0" nil t))))

(defun memcache--open-file (file)
  "Open FILE as a whole, in Emacs or else by the program of the system."
  (cond
   ((not (file-exists-p file)) (user-error "%s is not there any more" file))
   ((pcase (memcache--file-mode file)
      ((or 'pdf-view-mode 'doc-view-mode 'doc-view-mode-maybe) (memcache--pages-p file))
      ((or 'nil 'archive-mode) (memcache--text-p file))
      (_ t))
    (find-file file))
   ((file-remote-p file)
    (user-error "Emacs cannot show %s, which is on another machine" file))
   ((eq system-type 'windows-nt) (w32-shell-execute "open" file))
   (t (memcache--open-outside file (if (eq system-type 'darwin) "open" "xdg-open")))))

(defun memcache--open-outside (file opener)
  "Have the program OPENER open FILE."
  (unless (or (equal opener "open") (getenv "DISPLAY") (getenv "WAYLAND_DISPLAY"))
    (user-error "A terminal cannot show %s: open it from Emacs in a window system, or ask about it here" file))
  (unless (executable-find opener)
    (user-error "Emacs cannot show %s itself: install %s, or a viewer such as pdf-tools" file opener))
  (message "%s is opened by %s" file opener)
  (call-process opener nil 0 nil file))

;;;; Places

(defun memcache--pages-buffer (file)
  "Return a buffer with the pages of FILE, nil where its viewer does not start."
  (let* ((there (get-file-buffer file))
         (buffer (find-file-noselect file)))
    (cond ((with-current-buffer buffer (derived-mode-p 'pdf-view-mode 'doc-view-mode)) buffer)
          ((not there) (kill-buffer buffer) nil))))

(defun memcache--place-buffer (place)
  "Return the buffer where PLACE can be seen: its file, or its passage."
  (let ((file (memcache--place-file place)))
    (cond
     ((not (memcache--place-spot place))
      (let ((buffer (or (memcache--visiting file)
                        (if (file-exists-p file)
                            (find-file-noselect file)
                          (user-error "%s is not there any more" (memcache--place-path place))))))
        (memcache--hold place buffer)
        buffer))
     ((and (memcache--place-page place) (file-exists-p file) (memcache--pages-p file)
           (memcache--pages-buffer file)))
     (t (memcache--passage place "*memcache passage*")))))

(defconst memcache--elsewhere
  '((display-buffer-reuse-window memcache--display-beside display-buffer-pop-up-window)
    (inhibit-same-window . t))
  "How to display a buffer in another window.")

(defun memcache--display-beside (buffer alist)
  "Display BUFFER by ALIST in another window of this frame, where it has one.
Emacs itself would rather take a window of another frame than make one here."
  (when (get-lru-window nil nil t)
    (display-buffer-use-some-window buffer alist)))

(defun memcache--open (place &optional other-window)
  "Visit the lines, page or passage of PLACE, with OTHER-WINDOW in another window."
  (let ((buffer (memcache--place-buffer place)))
    (xref-push-marker-stack)
    (if other-window
        (pop-to-buffer buffer memcache--elsewhere)
      (pop-to-buffer-same-window buffer))
    (if (memcache--place-spot place)
        (memcache--turn-to buffer (memcache--place-page place))
      (memcache--show-lines (selected-window) (memcache--place-start place)
                            (memcache--place-end place)))))

(defun memcache--preview (place)
  "Show the lines or passage of PLACE in another window, without going there.
A file that no buffer visits is read for it, not visited."
  (if (memcache--place-spot place)
      (progn
        (memcache--unhighlight)
        (setq memcache--preview (memcache--passage place memcache--preview-name))
        (display-buffer memcache--preview memcache--elsewhere))
    (memcache--preview-lines place)))

(defun memcache--preview-lines (place)
  "Show the lines of PLACE in another window."
  (let* ((visiting (memcache--visiting (memcache--place-file place)))
         (buffer (or visiting (memcache--preview-buffer (memcache--place-file place)))))
    (if (not buffer)
        (memcache--tell-unseen place)
      (pcase-let ((`(,start . ,end)
                   (if visiting
                       (progn (memcache--hold place visiting)
                              (cons (marker-position (memcache--place-start place))
                                    (marker-position (memcache--place-end place))))
                     (with-current-buffer buffer
                       (memcache--bounds (memcache--place-range place))))))
        (when-let* ((window (display-buffer buffer memcache--elsewhere)))
          (memcache--show-lines window start end))))))

(defun memcache--tell-unseen (place)
  "Say why the lines of PLACE are not shown, and show no others as if they were."
  (memcache--unhighlight)
  (let ((file (memcache--place-file place)))
    (message (cond ((not (file-exists-p file)) "%s is not there any more")
                   ((not (file-readable-p file)) "%s cannot be read: look at its permissions")
                   (t "%s is too large to be shown beside; RET opens it"))
             (memcache--place-path place))))

(provide 'memcache-show)
;;; memcache-show.el ends here
