;;; memcache-place.el --- Files, projects, positions and the lines they name  -*- lexical-binding: t; -*-

;; Copyright (c) 2026 The memcache-lsp authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Owns what is a project, and the way between what the server names (URIs,
;; lines) and what Emacs has (files, positions), and how lines are shown.  Columns
;; count characters, as agreed with the server.  A line ends at \r\n, \n or \r
;; there, so a lone \r within a buffer's line is counted here too.

;;; Code:

(require 'cl-lib)
(require 'project)
(require 'subr-x)
(require 'url-util)
(require 'xref)
(require 'memcache-protocol)

(defface memcache-highlight '((t :inherit highlight :extend t))
  "Face of the lines that a citation shows."
  :group 'memcache)

;;;; Files

(defconst memcache--uri-chars
  (let ((chars (copy-sequence url-path-allowed-chars)))
    (aset chars ?% nil)
    chars)
  "Characters that stand for themselves in a URI's path, as a table.")

(defun memcache--uri (file)
  "Return the URI of FILE on the machine where it is."
  (concat "file://"
          (url-hexify-string
           (encode-coding-string (directory-file-name (file-local-name (expand-file-name file)))
                                 (memcache--name-coding))
           memcache--uri-chars)))

(defun memcache--file (uri host)
  "Return the file that URI names on HOST, nil where it is none."
  (when (string-prefix-p "file://" uri)
    (concat host
            (decode-coding-string
             (url-unhex-string (replace-regexp-in-string "\\`file://[^/]*" "" uri))
             (memcache--name-coding)))))

(defun memcache--name-coding ()
  "Return the coding of file names."
  (or file-name-coding-system default-file-name-coding-system 'utf-8))

(defun memcache--visiting (file)
  "Return the buffer that visits FILE, or nil; remote machines are not asked."
  (or (get-file-buffer file)
      (and (not (file-remote-p file)) (find-buffer-visiting file))))

(defun memcache--buffer-file ()
  "Return the file of the current buffer, for an indirect one that of its base."
  (buffer-file-name (or (buffer-base-buffer) (current-buffer))))

;;;; Projects

(defvar-local memcache--root-cache nil
  "Directory and the root of its project, found once.")

(defun memcache-root ()
  "Return the folder of the current project, by its true name."
  (unless (equal (car memcache--root-cache) default-directory)
    (let ((project (project-current)))
      (setq memcache--root-cache
            (cons default-directory
                  (file-name-as-directory
                   (file-truename (if project (project-root project)
                                    default-directory)))))))
  (cdr memcache--root-cache))

(defun memcache--folder (root)
  "Return ROOT as a workspace folder."
  (list :uri (memcache--uri root)
        :name (file-name-nondirectory (directory-file-name root))))

(defun memcache--project-name ()
  "Return the name of the current project."
  (let ((name (file-name-nondirectory (directory-file-name (memcache-root)))))
    (if (string-empty-p name) "/" name)))

;;;; Positions

(defun memcache--position (position)
  "Return POSITION of the current buffer as the server counts it.
The whole buffer counts, narrowed or not."
  (save-excursion
    (save-restriction
      (widen)
      (goto-char position)
      (let ((line (1- (line-number-at-pos)))
            (start (line-beginning-position)))
        (goto-char (point-min))
        (while (search-forward "\r" position t)
          (cl-incf line)
          (setq start (max start (point))))
        (memcache-make-position :line line :character (- position start))))))

(defun memcache--range (start end)
  "Return the stretch from START to END as the server counts it."
  (memcache-make-range :start (memcache--position start)
                       :end (memcache--position end)))

(defun memcache--point (position)
  "Return what the server's POSITION names in the current, widened buffer."
  (save-excursion
    (goto-char (point-min))
    (let ((line (memcache-position-line position)))
      (if (save-excursion (search-forward "\r" nil t))
          (while (and (> line 0) (re-search-forward "[\r\n]" nil 'move))
            (cl-decf line))
        (forward-line line))
      (min (+ (point) (memcache-position-character position))
           (line-end-position)))))

(defun memcache--bounds (range)
  "Return start and end of the server's RANGE in the current, widened buffer."
  (let* ((start (memcache--point (memcache-range-start range)))
         (end (memcache--point (memcache-range-end range))))
    (cons start (max start end))))

;;;; Places

(cl-defstruct (memcache--place (:copier nil))
  "Lines of a file that an answer names.
Markers follow edits of a buffer that visits it."
  file range path status hit start end)

(defun memcache--place-of (location host &optional path)
  "Return the place of LOCATION on HOST, shown as PATH, and hold on to its lines."
  (let* ((file (memcache--file (memcache-location-uri location) host))
         (place (make-memcache--place
                 :file file :range (memcache-location-range location)
                 :path (or path (file-name-nondirectory file)) :status "fresh"))
         (buffer (memcache--visiting file)))
    (when buffer
      (memcache--hold place buffer))
    place))

(defun memcache--hold (place buffer)
  "Have the lines of PLACE follow the edits of BUFFER."
  (unless (eq (memcache--held-by place) buffer)
    (with-current-buffer buffer
      (save-restriction
        (widen)
        (pcase-let ((`(,start . ,end) (memcache--bounds (memcache--place-range place))))
          (memcache--let-go place)
          (setf (memcache--place-start place) (copy-marker start)
                (memcache--place-end place) (copy-marker end)))))))

(defun memcache--held-by (place)
  "Return the buffer whose edits PLACE follows, or nil."
  (and (memcache--place-start place)
       (marker-buffer (memcache--place-start place))))

(defun memcache--let-go (place)
  "Free the markers of PLACE."
  (dolist (marker (list (memcache--place-start place) (memcache--place-end place)))
    (when marker (set-marker marker nil)))
  (setf (memcache--place-start place) nil
        (memcache--place-end place) nil))

(defun memcache--move-place (place cited)
  "Take the range and status of CITED for PLACE."
  (let ((buffer (memcache--held-by place)))
    (setf (memcache--place-range place) (memcache-location-range (memcache-cited-location cited))
          (memcache--place-status place) (memcache-cited-status cited))
    (when buffer
      (memcache--let-go place)
      (memcache--hold place buffer))))

(defun memcache--place-lines (place)
  "Return first and last line of PLACE, counted from 1, as they are now."
  (if-let ((buffer (memcache--held-by place)))
      (with-current-buffer buffer
        (save-restriction
          (widen)
          (let ((start (line-number-at-pos (memcache--place-start place)))
                (end (line-number-at-pos (memcache--place-end place))))
            (cons start
                  (if (and (> end start)
                           (save-excursion (goto-char (memcache--place-end place)) (bolp)))
                      (1- end)
                    end)))))
    (memcache--range-lines (memcache--place-range place))))

(defun memcache--range-lines (range)
  "Return first and last line of RANGE, counted from 1.
A range that ends at character 0 does not reach into that line."
  (let* ((start (memcache-position-line (memcache-range-start range)))
         (end (memcache-range-end range))
         (last (memcache-position-line end)))
    (cons (1+ start)
          (if (and (> last start) (eql (memcache-position-character end) 0))
              last
            (1+ last)))))

(defun memcache--place-label (place)
  "Return PLACE as path and lines."
  (pcase-let ((`(,start . ,end) (memcache--place-lines place)))
    (format "%s:%d-%d" (memcache--place-path place) start end)))

;;;; Showing

(defvar memcache--highlight nil
  "The overlay on the lines that were shown last.")

(defvar memcache--preview nil
  "The buffer with a file that nothing visits, made to look at it.")

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

(defun memcache--open (place &optional other-window)
  "Visit the lines of PLACE, with OTHER-WINDOW in another window."
  (let* ((file (memcache--place-file place))
         (buffer (or (memcache--visiting file)
                     (if (file-exists-p file)
                         (find-file-noselect file)
                       (user-error "%s is not there any more" (memcache--place-path place))))))
    (memcache--hold place buffer)
    (xref-push-marker-stack)
    (if other-window
        (pop-to-buffer buffer '((display-buffer-reuse-window
                                 display-buffer-use-some-window
                                 display-buffer-pop-up-window)
                                (inhibit-same-window . t)))
      (pop-to-buffer-same-window buffer))
    (memcache--show-lines (selected-window) (memcache--place-start place)
                          (memcache--place-end place))))

(defun memcache--preview (place)
  "Show the lines of PLACE in another window, without going there.
A file that no buffer visits is read for it, not visited."
  (let* ((visiting (memcache--visiting (memcache--place-file place)))
         (buffer (or visiting (memcache--preview-buffer (memcache--place-file place)))))
    (when buffer
      (pcase-let ((`(,start . ,end)
                   (if visiting
                       (progn (memcache--hold place visiting)
                              (cons (marker-position (memcache--place-start place))
                                    (marker-position (memcache--place-end place))))
                     (with-current-buffer buffer
                       (memcache--bounds (memcache--place-range place))))))
        (when-let ((window (display-buffer buffer '((display-buffer-reuse-window
                                                     display-buffer-use-some-window
                                                     display-buffer-pop-up-window)
                                                    (inhibit-same-window . t)))))
          (memcache--show-lines window start end))))))

(defun memcache--preview-buffer (file)
  "Return a buffer with the text of FILE, nil where it is too large or gone."
  (when-let ((size (file-attribute-size (file-attributes file))))
    (when (<= size memcache--preview-limit)
      (unless (and (buffer-live-p memcache--preview)
                   (equal file (buffer-local-value 'memcache--previewed memcache--preview)))
        (setq memcache--preview (get-buffer-create "*memcache preview*"))
        (with-current-buffer memcache--preview
          (memcache--fill-preview file)))
      memcache--preview)))

(defvar-local memcache--previewed nil
  "The file whose text this buffer shows.")
(put 'memcache--previewed 'permanent-local t)

(defun memcache--fill-preview (file)
  "Fill the current buffer with the text of FILE, in its mode but without hooks."
  (let ((inhibit-read-only t)
        (enable-local-variables nil)
        (buffer-undo-list t))
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
      (when-let ((window (get-buffer-window memcache--preview t)))
        (quit-restore-window window 'bury))
      (kill-buffer memcache--preview))))

(provide 'memcache-place)
;;; memcache-place.el ends here
