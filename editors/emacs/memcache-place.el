;;; memcache-place.el --- Files, projects, positions and the lines they name  -*- lexical-binding: t; -*-

;; Copyright (c) 2026 The memcache-lsp authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Owns what is a project, and the way between what the server names (URIs,
;; lines, pages) and what Emacs has (files, positions).  Columns count characters,
;; as agreed with the server.  A line ends at \r\n, \n or \r there, so a lone \r
;; within a buffer's line is counted here too.
;;
;; Some files are no text: a PDF has pages, a notebook cells, and the lines that
;; the server names there are those of a text that it read out of the file.  Such
;; a place has a spot in place of lines, and nothing here takes its lines for
;; those of a buffer.

;;; Code:

(require 'cl-lib)
(require 'project)
(require 'subr-x)
(require 'url-util)
(require 'memcache-protocol)

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
  "Return the file that URI names on HOST, nil where it is none.
That of a page has `#page=N' behind it."
  (when (string-prefix-p "file://" uri)
    (concat host
            (decode-coding-string
             (url-unhex-string (replace-regexp-in-string "\\`file://[^/]*\\|#.*" "" uri))
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
  "A stretch of a file that an answer names.
Markers follow edits of a buffer that visits it.  SPOT is nil where RANGE is
lines of the file itself, else where it is in words, such as \" p. 12\"; PAGE is
that of a PDF; PASSAGE is what an earlier answer read there, READ the range
that it was read at."
  file range path status hit start end spot page passage read)

(defun memcache--spot (location)
  "Return in words where LOCATION is in a file that is no text, else nil."
  (let ((page (memcache-location-page location))
        (cell (memcache-location-cell location)))
    (cond (page (format " p. %d" page))
          (cell (format " cell %d" cell))
          ((memcache-location-extracted location) ""))))

(defun memcache--place-of (location host &optional path)
  "Return the place of LOCATION on HOST, shown as PATH, and hold on to its lines."
  (let* ((file (memcache--file (memcache-location-uri location) host))
         (place (make-memcache--place
                 :file file :range (memcache-location-range location)
                 :path (or path (file-name-nondirectory file)) :status "fresh"
                 :read (memcache-location-range location)
                 :spot (memcache--spot location) :page (memcache-location-page location)))
         (buffer (memcache--visiting file)))
    (when buffer
      (memcache--hold place buffer))
    place))

(defun memcache--hold (place buffer)
  "Have the lines of PLACE follow the edits of BUFFER, if they are its own."
  (unless (or (memcache--place-spot place) (eq (memcache--held-by place) buffer))
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

(defun memcache--move-place (place range status)
  "Take RANGE and STATUS for PLACE."
  (let ((buffer (memcache--held-by place)))
    (setf (memcache--place-range place) range
          (memcache--place-status place) status)
    (when buffer
      (memcache--let-go place)
      (memcache--hold place buffer))))

(defun memcache--place-lines (place)
  "Return first and last line of PLACE, counted from 1, as they are now."
  (if-let* ((buffer (memcache--held-by place)))
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
  "Return PLACE as path and lines, or as path and spot."
  (if-let* ((spot (memcache--place-spot place)))
      (concat (memcache--place-path place) spot)
    (pcase-let ((`(,start . ,end) (memcache--place-lines place)))
      (format "%s:%d-%d" (memcache--place-path place) start end))))

;;;; Hits

(defun memcache--hit-summary (hit)
  "Return HIT in one line: what is defined there and how it begins."
  (let ((symbol (memcache-hit-symbol hit))
        (line (car (split-string (memcache-hit-snippet hit) "\n" t "[ \t]*"))))
    (concat (unless (string-empty-p symbol)
              (concat (propertize symbol 'face 'bold) "  "))
            (truncate-string-to-width (or line "") 120))))

(defun memcache--hit-line (hit)
  "Return the first line of HIT, counted from 1."
  (car (memcache--range-lines (memcache-location-range (memcache-hit-location hit)))))

(defun memcache--hit-label (hit)
  "Return where HIT is: path and line, or path and page or cell; and its cache."
  (concat (memcache-hit-path hit)
          (or (memcache--spot (memcache-hit-location hit))
              (format ":%d" (memcache--hit-line hit)))
          (memcache--hit-origin hit)))

(defun memcache--hit-place (hit host)
  "Return the place of HIT on HOST."
  (let ((place (memcache--place-of (memcache-hit-location hit) host (memcache-hit-path hit))))
    (setf (memcache--place-hit place) hit)
    place))

(defun memcache--hit-origin (hit)
  "Return the cache that HIT was found in as text, empty for the project."
  (if-let* ((cache (memcache-hit-cache hit))) (format " (%s)" cache) ""))

(provide 'memcache-place)
;;; memcache-place.el ends here
