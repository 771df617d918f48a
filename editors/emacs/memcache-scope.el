;;; memcache-scope.el --- What questions and searches are asked of  -*- lexical-binding: t; -*-

;; Copyright (c) 2026 The memcache-lsp authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Owns what is asked: the project, added caches, or both.  The choice holds for
;; a machine until Emacs ends, and is shown wherever one asks.  The names of the
;; caches are those that the server told last; nothing waits for them.

;;; Code:

(require 'crm)
(require 'memcache-core)
(require 'memcache-sync)

(defconst memcache--workspace "workspace"
  "The name among those of caches that means the project itself.")

(defvar memcache--chosen nil
  "Alist of remote prefix, nil for this machine, and names of what is asked.")

(defvar memcache--cache-names nil
  "Alist of remote prefix, nil for this machine, and names of its caches.")

(defun memcache--asked ()
  "Return the names of what is asked, by default the project alone."
  (or (alist-get (memcache--host) memcache--chosen nil nil #'equal)
      (list memcache--workspace)))

(defun memcache--choose (names)
  "Have NAMES asked from now on; none is the project."
  (setf (alist-get (memcache--host) memcache--chosen nil t #'equal)
        (and (not (equal names (list memcache--workspace))) names))
  (force-mode-line-update t))

(defun memcache--known-caches ()
  "Return the names of the caches of this machine, as far as they were told."
  (alist-get (memcache--host) memcache--cache-names nil nil #'equal))

(defun memcache--note-caches (host caches)
  "Note that HOST has CACHES; one that is gone is asked no more."
  (let ((names (mapcar #'memcache-cache-name caches)))
    (setf (alist-get host memcache--cache-names nil t #'equal) names
          (alist-get host memcache--chosen nil t #'equal)
          (cl-remove-if-not (lambda (name) (member name (cons memcache--workspace names)))
                            (alist-get host memcache--chosen nil nil #'equal)))
    (force-mode-line-update t)))

(defun memcache--learn-caches (connection)
  "Ask CONNECTION for the caches that there are."
  (memcache--request
   connection memcache-method-caches (memcache-make-caches-params :action "list")
   :success (lambda (result)
              (memcache--note-caches (oref connection host)
                                     (memcache-caches-result-caches result)))
   :error #'ignore))

;;;; Scopes

(defun memcache--project-scope (&rest more)
  "Return the current project as a scope, with MORE of its fields."
  (apply #'memcache-make-scope :roots (list (memcache--uri (memcache-root))) more))

(defun memcache--scope-of (names)
  "Return NAMES, caches or the project, as a scope."
  (let ((caches (remove memcache--workspace names)))
    (if (equal caches names)
        (memcache-make-scope :caches caches)
      (memcache--project-scope :caches caches))))

(defun memcache--scope ()
  "Return the scope of what is asked."
  (memcache--scope-of (memcache--asked)))

(defun memcache--scope-name (scope)
  "Return what SCOPE has asked, by its names."
  (string-join
   (append (cond ((plist-get scope :roots) (list (memcache--project-name)))
                 ((not (plist-get scope :caches)) '("all projects")))
           (plist-get scope :caches) nil)
   " + "))

(defun memcache--verbatim (text)
  "Return TEXT as mode line and header line show it."
  (replace-regexp-in-string "%" "%%" text t t))

(defun memcache--prompt (verb scope)
  "Return a prompt that begins with VERB and names what SCOPE has asked."
  (format "%s %s: " verb (memcache--scope-name scope)))

(defun memcache--read-scope ()
  "Read where to look this once, and return it as a scope."
  (let* ((root (memcache-root))
         (here (file-relative-name (file-truename default-directory) root))
         (language (memcache--language))
         (choice (completing-read
                  "Look in: "
                  (delq nil (append
                             (list "this project" "all open projects"
                                   (unless (string-prefix-p "." here) (concat "folder " here))
                                   (when (derived-mode-p 'prog-mode) (concat "language " language))
                                   "files that match…")
                             (mapcar (lambda (name) (concat "cache " name))
                                     (memcache--known-caches))))
                  nil t)))
    (cond ((equal choice "all open projects") memcache--empty) ; which nil, no choice, is not
          ((string-prefix-p "cache " choice)
           (memcache--scope-of (list (string-remove-prefix "cache " choice))))
          ((string-prefix-p "folder " choice)
           (memcache--project-scope :globs (list (concat "/" here))))
          ((string-prefix-p "language " choice)
           (memcache--project-scope :languages (list language)))
          ((equal choice "files that match…")
           (memcache--project-scope
            :globs (split-string (read-string "Patterns, as in .gitignore: "))))
          (t (memcache--project-scope)))))

;;;###autoload
(defun memcache-scope (names)
  "Ask NAMES by the next questions, and search them.
These are caches, or `workspace' for the project itself; several are separated
by commas.  It holds until another choice is made or Emacs ends."
  (interactive
   (progn
     (memcache--learn-caches (memcache--connect))
     (list (completing-read-multiple
            (format-prompt "Ask these from now on" (string-join (memcache--asked) ","))
            (lambda (string predicate action)
              (complete-with-action action (cons memcache--workspace (memcache--known-caches))
                                    string predicate))
            nil t nil nil (string-join (memcache--asked) ",")))))
  (memcache--choose (delete-dups (remove "" names)))
  (message "Memcache: %s is asked" (memcache--scope-name (memcache--scope))))

(add-hook 'memcache--ready-functions #'memcache--learn-caches)

(provide 'memcache-scope)
;;; memcache-scope.el ends here
