;;; memcache-caches.el --- Folders and files beside the project  -*- lexical-binding: t; -*-

;; Copyright (c) 2026 The memcache-lsp authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Owns the list of caches and what is done with them: adding what Emacs's own
;; file prompt reads, taking away, choosing which are asked.  Much happens to caches
;; that nobody here asked for: they are indexed, go offline, get files, or are
;; changed by another editor.  So while the list can be seen, it is asked for again.

;;; Code:

(require 'memcache-lists)

(defconst memcache--caches-buffer "*memcache caches*"
  "Name of the buffer with the list.")

(defconst memcache--caches-seconds 2
  "How long the list stays as it is while it can be seen.")

(defvar-local memcache--caches nil
  "The caches of this list, as told last.")

(defvar-local memcache--caches-problem nil
  "Why the caches cannot be listed, as told last.")

(defvar-local memcache--caches-timer nil
  "Asks for what this list shows.")

(defvar-local memcache--caches-request nil
  "What was asked by the timer last.")

(defvar memcache-caches-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map "\r" #'memcache-caches-show)
    (define-key map "m" #'memcache-caches-ask)
    (define-key map "a" #'memcache-caches-add)
    (define-key map "f" #'memcache-caches-add-file)
    (define-key map "r" #'memcache-caches-add-reading)
    (define-key map "i" #'memcache-caches-index)
    (define-key map "d" #'memcache-caches-remove)
    map)
  "Keys in the list of caches.")

(define-derived-mode memcache-caches-mode memcache-list-mode "Caches"
  "Mode of the list of what can be asked: the project and the caches.

\\{memcache-caches-mode-map}"
  :interactive nil
  (setq tabulated-list-format [("Asked" 5 t) ("Cache" 20 t) ("State" 10 t)
                               ("Files" 12 nil :right-align t) ("Failed" 6 nil :right-align t)
                               ("Where" 0 t)])
  (tabulated-list-init-header)
  (setq memcache--caches-timer
        (run-at-time memcache--caches-seconds memcache--caches-seconds
                     #'memcache--caches-follow (current-buffer)))
  (dolist (hook '(kill-buffer-hook change-major-mode-hook))
    (add-hook hook (lambda () (cancel-timer memcache--caches-timer)) nil t)))

;;;###autoload
(defun memcache-caches ()
  "List the caches: folders and files that can be asked beside the project."
  (interactive)
  (memcache--show-list
   memcache--caches-buffer #'memcache-caches-mode
   (list :method memcache-method-caches
         :items #'memcache--caches-items :row #'memcache--caches-row)))

(defun memcache--caches-items (result)
  "Return what is listed of RESULT, the project first."
  (setq memcache--caches (memcache-caches-result-caches result))
  (memcache--note-caches (memcache--host) memcache--caches)
  (let ((problem (memcache-caches-result-message result)))
    (unless (equal problem memcache--caches-problem)
      (setq memcache--caches-problem problem)
      (when problem (message "Memcache: %s" problem))))
  (cons nil memcache--caches))

(defun memcache--caches-follow (list)
  "Have the buffer LIST show what there is now, if anybody sees it.
A session that ended is not begun again for it."
  (with-current-buffer list
    (when-let* ((connection (and (get-buffer-window list t) (memcache--live))))
      (unless (and memcache--caches-request
                   (not (eq (memcache--request-state memcache--caches-request) 'done)))
        (setq memcache--caches-request
              (memcache--request
               connection memcache-method-caches (memcache-make-caches-params :action "list")
               :success (lambda (result)
                          (when (buffer-live-p list)
                            (with-current-buffer list
                              (memcache--fill-list result))))
               :error #'ignore))))))

(defun memcache--caches-row (cache)
  "Return the row of CACHE, nil for the project."
  (let* ((name (if cache (memcache-cache-name cache) memcache--workspace))
         (asked (if (member name (memcache--asked)) "*" "")))
    (list name
          (if cache
              (vconcat (list asked name) (memcache--caches-columns cache))
            (vector asked name "" "" "" (memcache-root))))))

(defun memcache--caches-columns (cache)
  "Return the columns of CACHE behind its name."
  (let* ((state (memcache-cache-state cache))
         (files (memcache-cache-files cache))
         (done (memcache-file-counts-done files))
         (total (memcache-file-counts-total files))
         (failed (memcache-file-counts-failed files)))
    (list (if (member state '("offline" "failed")) (propertize state 'face 'warning) state)
          (if (= done total) (format "%d" done) (format "%d/%d" done total))
          (if (= failed 0) "" (propertize (format "%d" failed) 'face 'warning))
          (concat (if (memcache-cache-reading cache) "reading folder " "")
                  (mapconcat (lambda (place) (memcache--file (memcache-cache-place-uri place) nil))
                             (memcache-cache-places cache) ", ")))))

(defun memcache--caches-here ()
  "Return the cache at point."
  (let ((name (memcache--list-item)))
    (or (cl-find name memcache--caches :key #'memcache-cache-name :test #'equal)
        (user-error "This is the project itself, and no cache"))))

;;;; Looking and choosing

(defun memcache-caches-show ()
  "Tell all of the cache at point: its places, and which files failed and why."
  (interactive)
  (let ((cache (memcache--caches-here)))
    (with-help-window "*memcache cache*"
      (with-current-buffer standard-output
        (memcache--insert-cache cache)))))

(defun memcache-caches-ask ()
  "Ask what is at point from now on, or no more if it is asked.
Where nothing is left, the project is asked."
  (interactive)
  (let ((name (memcache--list-item)) (asked (memcache--asked)))
    (memcache-scope (if (member name asked) (remove name asked)
                      (append asked (list name))))
    (memcache-list-refresh)))

;;;; Changing

(defun memcache--caches-do (action &rest arguments)
  "Do ACTION with ARGUMENTS, and show it in the list where there is one."
  (let ((connection (memcache--connect)))
    (memcache--request
     connection memcache-method-caches
     (apply #'memcache-make-caches-params :action action arguments)
     :success
     (lambda (result)
       (memcache--note-caches (oref connection host) (memcache-caches-result-caches result))
       (when-let* ((list (get-buffer memcache--caches-buffer)))
         (with-current-buffer list
           (memcache-list-refresh)))
       (message "Memcache: %s" (or (memcache-caches-result-message result)
                                   (memcache--caches-told action arguments)))))))

(defun memcache--caches-told (action arguments)
  "Return that ACTION was done with ARGUMENTS as a sentence."
  (let ((name (plist-get arguments :name)) (uri (car (plist-get arguments :uris))))
    (cond ((equal action "add")
           (format "%s is being indexed, and can be asked (`memcache-scope')" name))
          (uri (format "%s of %s is forgotten" (memcache--file uri nil) name))
          (t (format "%s is forgotten" name)))))

(defun memcache--read-addition (file)
  "Read the name of the cache that FILE is added to; return both.
In the list it is by default the cache at point."
  (let* ((here (and (derived-mode-p 'memcache-caches-mode) (tabulated-list-get-id)))
         (default (if (member here (list nil memcache--workspace))
                      (file-name-base (directory-file-name file))
                    here)))
    (list (completing-read (format-prompt "Name of the cache" default)
                           (memcache--known-caches) nil nil nil nil default)
          file)))

(defun memcache--caches-add (name file &optional reading)
  "Add FILE to the cache NAME, READING if it is a reading folder."
  (unless (equal (memcache--host file) (memcache--host))
    (user-error "%s is on another machine: add it from a buffer there" file))
  (memcache--caches-do "add" :name name :uris (list (memcache--uri file)) :reading reading))

;;;###autoload
(defun memcache-caches-add (name folder)
  "Add FOLDER to the cache NAME, which is made where it is not there."
  (interactive (memcache--read-addition (read-directory-name "Add the folder: " nil nil t)))
  (memcache--caches-add name folder))

;;;###autoload
(defun memcache-caches-add-file (name file)
  "Add FILE to the cache NAME, which is made where it is not there."
  (interactive (memcache--read-addition (read-file-name "Add the file: " nil nil t)))
  (memcache--caches-add name file))

;;;###autoload
(defun memcache-caches-add-reading (name folder)
  "Add FOLDER as the cache NAME, and have new files in it told of.
It is such as the one where a browser saves pages."
  (interactive (memcache--read-addition
                (read-directory-name "Folder whose new pages are told of: " nil nil t)))
  (memcache--caches-add name folder t))

(defun memcache-caches-remove (&optional one)
  "Forget the cache at point; with a prefix argument, ONE of its places.
The files themselves stay."
  (interactive "P")
  (let* ((cache (memcache--caches-here))
         (name (memcache-cache-name cache))
         (uris (and one (list (memcache--read-place cache)))))
    (when (y-or-n-p (format "Forget %s, and all that is kept of it (the files stay)? "
                            (if one (format "%s of %s" (memcache--file (car uris) nil) name)
                              name)))
      (memcache--caches-do "remove" :name name :uris uris))))

(defun memcache--read-place (cache)
  "Read a place of CACHE, and return its URI."
  (let ((places (mapcar (lambda (place)
                          (let ((uri (memcache-cache-place-uri place)))
                            (cons (memcache--file uri nil) uri)))
                        (memcache-cache-places cache))))
    (cdr (assoc (completing-read "Forget: " places nil t) places))))

(defun memcache-caches-index (action)
  "Do ACTION with the index of the cache at point: pause, resume or rebuild it."
  (interactive
   (list (memcache--read-index-action (memcache-cache-name (memcache--caches-here)))))
  (let ((list (current-buffer)) (name (memcache-cache-name (memcache--caches-here))))
    (memcache--request
     (memcache--connect) memcache-method-index
     (memcache-make-index-params :action action :cache name)
     :success (lambda (_)
                (when (buffer-live-p list)
                  (memcache--caches-follow list))))))

(provide 'memcache-caches)
;;; memcache-caches.el ends here
