;;; memcache-pages-test.el --- Pages in the viewers that Emacs has  -*- lexical-binding: t; -*-

;;; Commentary:

;; Emacs has a window here, and doc-view what it needs.  pdf-tools is used as it
;; comes, where MEMCACHE_TEST_PDF_TOOLS names the folder of packages that has it.

;;; Code:

(require 'doc-view)
(require 'memcache-test-util)

(defun memcache-test--manual ()
  "Return a PDF of two pages."
  (expand-file-name "../papers/manual.pdf" memcache-test-project))

(defun memcache-test--page (page)
  "Return a hit on PAGE of that PDF."
  (memcache-make-hit
   :location (memcache-test--read-out "../papers/manual.pdf" :page page)
   :path "manual.pdf" :symbol "" :kind "section" :language "pdf" :score 1 :snippet "The narwhal"
   :origin "cache" :cache "papers"))

(defmacro memcache-test-turning (mode shown &rest body)
  "Evaluate BODY, after which a window in MODE shows page 2 as an image.
SHOWN returns page and image of the current buffer."
  (declare (indent 2))
  `(unwind-protect
       (progn
         ,@body
         (with-current-buffer (get-file-buffer (memcache-test--manual))
           (should (get-buffer-window))
           (should (derived-mode-p ,mode))
           (memcache-test-until
            (redisplay)
            (pcase-let ((`(,page . ,image) (funcall ,shown)))
              (and (eql page 2) (consp image) (> (car (image-size image t)) 100))))))
     (when-let* ((buffer (get-file-buffer (memcache-test--manual))))
       (kill-buffer buffer))))

(defun memcache-test--opens-and-follows (mode shown)
  "Test that citation and result lead to the page, in MODE and told by SHOWN."
  (memcache-test-turning mode shown
    (memcache--open (memcache--hit-place (memcache-test--page 2) nil)))
  (memcache-test-turning mode shown      ; it is visited, and at another page
    (memcache--open (memcache--hit-place (memcache-test--page 1) nil))
    (memcache--open (memcache--hit-place (memcache-test--page 2) nil)))
  (memcache-test-turning mode shown
    (when (get-buffer "*xref*") (kill-buffer "*xref*"))
    (memcache--show-xrefs (list (memcache-test--page 2)) nil #'ignore)
    (next-error)))

(ert-deftest memcache-test-doc-view-shows-the-page ()
  (let ((doc-view-cache-directory (make-temp-file "mc-pages-" t)))
    (unwind-protect
        (memcache-test--opens-and-follows
         'doc-view-mode
         (lambda () (cons (doc-view-current-page)
                          (and (file-exists-p (expand-file-name "page-2.png" (doc-view--current-cache-dir)))
                               (doc-view-current-image)))))
      (delete-directory doc-view-cache-directory t))))

(ert-deftest memcache-test-a-viewer-that-does-not-start-leaves-the-passage ()
  (let ((auto-mode-alist '(("\\.pdf\\'" . pdf-view-mode))) (magic-mode-alist nil)
        (magic-fallback-mode-alist nil)
        (debug-on-error nil))           ; as ERT has it, `find-file' would stop there
    (cl-letf (((symbol-function 'pdf-view-mode) (lambda () (error "There is no epdfinfo"))))
      (memcache--open (memcache--hit-place (memcache-test--page 2) nil))))
  (should-not (get-file-buffer (memcache-test--manual)))
  (with-current-buffer (window-buffer)
    (should (derived-mode-p 'memcache-passage-mode))
    (should (string-search "The narwhal" (buffer-string)))))

(ert-deftest memcache-test-pdf-tools-shows-the-page-once-it-is-loaded ()
  (skip-unless (getenv "MEMCACHE_TEST_PDF_TOOLS"))
  (setq package-directory-list (list (getenv "MEMCACHE_TEST_PDF_TOOLS")))
  (package-initialize)
  (defvar pdf-info-epdfinfo-program)
  (let ((pdf-info-epdfinfo-program (executable-find "epdfinfo")))
    (dolist (install '(pdf-loader-install pdf-tools-install)) ; it is loaded by the first of them
      (funcall install 'no-query)
      (memcache-test--opens-and-follows
       'pdf-view-mode
       (lambda () (cons (pdf-view-current-page) (pdf-view-current-image)))))))

(provide 'memcache-pages-test)
;;; memcache-pages-test.el ends here
