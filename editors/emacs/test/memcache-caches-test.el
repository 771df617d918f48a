;;; memcache-caches-test.el --- Caches, documents and news, against the real server  -*- lexical-binding: t; -*-

;;; Commentary:

;; Beside the project lie `papers', with a PDF of two pages, a notebook, a mail
;; and a text, and an empty folder `pages'.

;;; Code:

(require 'memcache-test-util)

(defconst memcache-test--disk (file-name-directory (directory-file-name memcache-test-project))
  "The folder with the project and what lies beside it.")

(defun memcache-test--papers (&optional name)
  "Return the file NAME of the papers, by default their folder."
  (expand-file-name (or name "") (expand-file-name "papers/" memcache-test--disk)))

(defmacro memcache-test-with-papers (&rest body)
  "Evaluate BODY in the project while the papers are the cache `papers'."
  `(memcache-test-fresh
    (let ((default-directory memcache-test-project)
          (memcache--chosen nil))
      (memcache-caches-add "papers" (memcache-test--papers))
      (memcache-test-until (equal (memcache-test--cache-state "papers") "ready"))
      (unwind-protect (progn ,@body)
        (memcache--caches-do "remove" :name "papers")
        (memcache-test-until (not (member "papers" (memcache--known-caches))))))))

(defun memcache-test--get (method params)
  "Return the result of METHOD with PARAMS, or the problem."
  (let ((result 'none))
    (memcache--request (memcache--connect) method params
                       :success (lambda (value) (setq result value))
                       :error (lambda (problem) (setq result problem)))
    (memcache-test-until (not (eq result 'none)))
    result))

(defun memcache-test--cache-state (name)
  "Return the state of the cache NAME, nil where there is none."
  (when-let* ((cache (cl-find name (memcache-caches-result-caches
                                    (memcache-test--get memcache-method-caches '(:action "list")))
                              :key #'memcache-cache-name :test #'equal)))
    (memcache-cache-state cache)))

(defun memcache-test--find (query)
  "Return the best hit for QUERY where is asked now."
  (car (memcache-search-result-hits
        (memcache-test--get memcache-method-search
                            (memcache-make-search-params :query query :limit 5
                                                         :scope (memcache--scope))))))

(defun memcache-test--place (query)
  "Return the place of the best hit for QUERY."
  (memcache--hit-place (memcache-test--find query) nil))

(defmacro memcache-test-answering (answers &rest body)
  "Evaluate BODY while each prompt is answered by the next of ANSWERS.
Each is a cons of what the prompt has to begin with, and the answer."
  (declare (indent 1))
  `(let* ((answers ,answers)
          (answer (lambda (prompt &rest _)
                    (pcase-let ((`(,begin . ,text) (pop answers)))
                      (should (string-prefix-p begin prompt))
                      text))))
     (cl-letf (((symbol-function 'completing-read) answer)
               ((symbol-function 'completing-read-multiple) answer)
               ((symbol-function 'read-directory-name) answer)
               ((symbol-function 'read-file-name) answer)
               ((symbol-function 'read-string) answer)
               ((symbol-function 'y-or-n-p) answer))
       ,@body
       (should-not answers))))

;;;; The list

(defmacro memcache-test-in-list (&rest body)
  "Evaluate BODY in the list of caches, once it is there."
  `(progn
     (when (get-buffer memcache--caches-buffer) (kill-buffer memcache--caches-buffer))
     (memcache-caches)
     (with-current-buffer memcache--caches-buffer
       (memcache-test-until tabulated-list-entries)
       ,@body)))

(defun memcache-test--row (name)
  "Return the columns of NAME in this list, having gone there."
  (goto-char (point-min))
  (while (not (or (eobp) (equal (tabulated-list-get-id) name)))
    (forward-line 1))
  (tabulated-list-get-entry))

(ert-deftest memcache-test-caches-are-added-listed-and-removed ()
  (memcache-test-fresh
   (let ((default-directory memcache-test-project) (memcache--chosen nil)
         (papers (memcache-test--papers)))
     (memcache-test-answering `(("Add the folder" . ,papers) ("Name of the cache (default papers)" . "papers"))
       (call-interactively #'memcache-caches-add))
     (memcache-test-until (equal (memcache-test--cache-state "papers") "ready"))
     (memcache-test-in-list
      (memcache-test-until
        (equal (append (memcache-test--row "papers") nil)
               (list "" "papers" "ready" "4" "1" (directory-file-name papers))))
      (should (equal (aref (memcache-test--row memcache--workspace) 0) "*"))
      (should-error (memcache-caches-remove) :type 'user-error)
      ;; What failed is told with its reason.
      (memcache-test--row "papers")
      (memcache-caches-show)
      (with-current-buffer "*memcache cache*"
        (goto-char (point-min))
        (should (re-search-forward "broken\\.pdf: .+" nil t)))
      ;; A file is added to the cache at point, and taken away by itself.
      (let ((file (memcache-test-file "README.md")))
        (memcache-test-answering `(("Add the file" . ,file) ("Name of the cache (default papers)" . "papers"))
          (call-interactively #'memcache-caches-add-file))
        (memcache-test-until (string-search "README.md" (aref (memcache-test--row "papers") 5)))
        (memcache-test-answering `(("Forget" . ,file) ("Forget" . t))
          (memcache-caches-remove t))
        (memcache-test-until
          (not (string-search "README.md" (aref (memcache-test--row "papers") 5))))
        (memcache-test-until
          (string-search (format "%s of papers is forgotten" file) (memcache-test--messages))))
      (memcache-test-answering '(("Forget papers" . nil))
        (memcache-caches-remove))
      (memcache-test-answering '(("Forget papers" . t))
        (memcache-caches-remove))
      (memcache-test-until (not (memcache-test--row "papers")))
      (should (file-exists-p papers))))))

;; By another editor: nothing here is told of it.
(ert-deftest memcache-test-the-list-follows-what-happens-by-itself ()
  (memcache-test-fresh
   (let ((default-directory memcache-test-project) (memcache--chosen nil)
         (away (concat (directory-file-name (memcache-test--papers)) "-away"))
         (other (memcache--start nil memcache-test-project))
         (state (lambda () (when-let* ((row (memcache-test--row "papers"))) (aref row 2)))))
     (setf (alist-get nil memcache--connections nil 'remove) nil)
     (cl-flet ((change (action &rest more)
                 (memcache--request other memcache-method-caches
                                    (apply #'memcache-make-caches-params
                                           :action action :name "papers" more))))
       (memcache-test-in-list
        (change "add" :uris (list (memcache--uri (memcache-test--papers))))
        (memcache-test-until (equal (funcall state) "ready"))
        (rename-file (directory-file-name (memcache-test--papers)) away)
        (unwind-protect
            (memcache-test-until (equal (funcall state) "offline"))
          (rename-file away (directory-file-name (memcache-test--papers))))
        (memcache-test-until (equal (funcall state) "ready"))
        (change "remove")
        (memcache-test-until (not (funcall state)))
        ;; The list is there, and begins no session.
        (memcache-stop)
        (memcache--caches-follow (current-buffer))
        (should-not (memcache--live))
        (let ((timer memcache--caches-timer))
          (should (memq timer timer-list))
          (memcache-caches-mode)
          (should-not (memq timer timer-list))
          (setq timer memcache--caches-timer)
          (kill-buffer)
          (should-not (memq timer timer-list)))
        (memcache--leave other)
        (memcache-test-until (not (jsonrpc-running-p other))))))))

(ert-deftest memcache-test-what-cannot-be-added-is-told-in-a-sentence ()
  (memcache-test-fresh
   (let ((default-directory memcache-test-project))
     (memcache-caches-add memcache--workspace (memcache-test--papers))
     (memcache-test-until (string-match-p "the name of the project itself" (memcache-test--messages)))
     (should-error (memcache-caches-add "far" "/ssh:nowhere:/tmp/") :type 'user-error)
     (memcache-test-until (null (memcache-test--cache-state "far"))))))

;;;; What is asked

(ert-deftest memcache-test-the-choice-holds-and-is-shown ()
  (memcache-test-with-papers
   (should (equal (memcache--lighter-asked) ""))
   (should (equal (memcache-hit-origin (memcache-test--find "walrus")) "index"))
   (memcache-test-answering '(("Ask these from now on (default workspace)" . ("papers")))
     (call-interactively #'memcache-scope))
   (should (equal (memcache--lighter-asked) " [papers]"))
   (let ((hit (memcache-test--find "walrus molluscs")))
     (should (equal (memcache-hit-cache hit) "papers"))
     (should (equal (memcache--hit-label hit) "walrus.md:1 (papers)")))
   (memcache-test-answering '(("Ask about papers: " . "what does the walrus dive for?"))
     (call-interactively #'memcache-ask))
   (let ((turn (memcache-test-written (get-buffer "*memcache*"))))
     (should (string-match-p "molluscs" (memcache-test-text turn)))
     (with-current-buffer "*memcache*"
       (should (string-match-p "papers" (memcache--header)))
       (goto-char (point-min))
       (should (search-forward "(papers)" nil t))))
   (memcache-test-in-list
    (should (equal (aref (memcache-test--row "papers") 0) "*"))
    (memcache-test--row memcache--workspace)
    (memcache-caches-ask)
    (memcache-test-until (equal (aref (memcache-test--row memcache--workspace) 0) "*")))
   (should (equal (memcache--scope-name (memcache--scope)) "courier + papers"))
   (should (equal (memcache-hit-cache (memcache-test--find "walrus molluscs")) "papers"))
   (should (equal (memcache-hit-origin (memcache-test--find "class RetryPolicy")) "index"))
   ;; For one question alone.
   (memcache-test-answering '(("Look in" . "this project"))
     (should (equal (memcache--scope-name (memcache--read-scope)) "courier")))
   (memcache-test-answering '(("Look in" . "cache papers"))
     (should (equal (memcache--read-scope) '(:caches ["papers"]))))))

(ert-deftest memcache-test-a-cache-that-is-gone-is-asked-no-more ()
  (memcache-test-with-papers
   (memcache-scope '("papers"))
   (memcache--caches-do "remove" :name "papers")
   (memcache-test-until (equal (memcache--asked) (list memcache--workspace)))
   (memcache-caches-add "papers" (memcache-test--papers))
   (memcache-test-until (equal (memcache-test--cache-state "papers") "ready"))))

(ert-deftest memcache-test-a-search-tells-what-is-offline ()
  (memcache-test-with-papers
   (let ((away (concat (directory-file-name (memcache-test--papers)) "-away")))
     (memcache-scope '("papers"))
     (unwind-protect
         (progn
           (rename-file (directory-file-name (memcache-test--papers)) away)
           (memcache-test-until
             (memcache-search "walrus")
             (string-match-p "Memcache: .*papers.* offline" (memcache-test--messages)))
           (memcache-test-in-list
            (memcache-test-until (equal (aref (memcache-test--row "papers") 2) "offline"))
            (memcache-caches-show)
            (with-current-buffer "*memcache cache*"
              (goto-char (point-min))
              (should (search-forward "offline since 2" nil t)))))
       (rename-file away (directory-file-name (memcache-test--papers)))))))

;;;; Documents

(defvar memcache-test--turned nil
  "The page that the stand-in for a viewer was turned to.")

(define-derived-mode pdf-view-mode special-mode "Stand-in"
  "What pdf-tools would bring.")

(defmacro memcache-test-with-viewer (&rest body)
  "Evaluate BODY in what looks like a frame with pdf-tools."
  `(let ((auto-mode-alist (cons '("\\.pdf\\'" . pdf-view-mode) auto-mode-alist))
         (memcache-test--turned nil))
     (cl-letf (((symbol-function 'display-graphic-p) #'always)
               ((symbol-function 'pdf-view-goto-page)
                (lambda (page &rest _)
                  (setq memcache-test--turned (cons (buffer-file-name (window-buffer)) page)))))
       (unwind-protect (progn ,@body)
         (when-let* ((buffer (get-file-buffer (memcache-test--papers "manual.pdf"))))
           (kill-buffer buffer))))))

(ert-deftest memcache-test-a-page-opens-in-a-viewer-else-its-passage ()
  (memcache-test-with-papers
   (memcache-scope '("papers"))
   (let ((place (memcache-test--place "narwhal tusk")))
     (should (equal (memcache--place-label place) "manual.pdf p. 2"))
     (should (equal (memcache--place-file place) (memcache-test--papers "manual.pdf")))
     (memcache-test-with-viewer
      (memcache--open place)
      (should (equal memcache-test--turned (cons (memcache-test--papers "manual.pdf") 2))))
     (memcache--open place)
     (with-current-buffer (window-buffer)
       (should (derived-mode-p 'memcache-passage-mode))
       (should (string-prefix-p "manual.pdf p. 2\n" (buffer-string)))
       (should (string-search "tusk" (buffer-string)))
       (should-not (get-file-buffer (memcache--place-file place)))))))

(ert-deftest memcache-test-answers-cite-pages-and-show-passages ()
  (memcache-test-with-papers
   (memcache-scope '("papers"))
   (memcache-ask "what is the tusk of the narwhal?")
   (let ((turn (memcache-test-written (get-buffer "*memcache*"))))
     (with-current-buffer (memcache--turn-buffer turn)
       (goto-char (point-min))
       (should (search-forward "manual.pdf p. 2" nil t))
       (goto-char (memcache--turn-text turn))
       (memcache-answer-next)
       (should (equal (memcache--place-label (memcache--place-here)) "manual.pdf p. 2"))
       (with-current-buffer memcache--preview-name
         (should (string-search "tusk" (buffer-string))))
       (memcache-answer-open)
       (should-not (get-buffer memcache--preview-name))
       (should (equal (buffer-name (window-buffer)) "*memcache passage*"))
       (with-current-buffer (memcache--turn-buffer turn)
         (memcache-answer-copy)
         (should (string-search "manual.pdf#page=2)" (current-kill 0))))))))

(ert-deftest memcache-test-a-cache-is-asked-while-it-is-indexed ()
  (memcache-test-fresh
   (let ((default-directory memcache-test-project) (memcache--chosen nil))
     (memcache-caches-add "papers" (memcache-test--papers))
     (memcache-test-until (member "papers" (memcache--known-caches)))
     (unwind-protect
         (progn
           (memcache-scope '("papers"))
           (let ((turn (memcache-test-ask "what does the walrus dive for?")))
             (should (equal (memcache--place-path (car (memcache--turn-sources turn))) "walrus.md"))))
       (memcache--caches-do "remove" :name "papers")
       (memcache-test-until (not (member "papers" (memcache--known-caches))))))))

(ert-deftest memcache-test-a-visited-document-is-not-taken-for-lines ()
  (memcache-test-with-papers
   (memcache-scope '("papers"))
   (let ((buffer (find-file-noselect (memcache-test--papers "notes.ipynb"))))
     (unwind-protect
         (let ((place (memcache-test--place "dugong seagrass")))
           (should (equal (memcache--place-label place) "notes.ipynb cell 2"))
           (should-not (memcache--held-by place))
           (memcache--open place)
           (with-current-buffer (window-buffer)
             (should (string-search "seagrass" (buffer-string)))
             (memcache-passage-open))
           (should (eq (window-buffer) buffer))
           (should (= (window-point) (with-current-buffer buffer (point-min)))))
       (kill-buffer buffer)))))

(ert-deftest memcache-test-search-leads-to-passages-and-pages ()
  (memcache-test-with-papers
   (memcache-scope '("papers"))
   (when (get-buffer "*xref*") (kill-buffer "*xref*"))
   (memcache-search "narwhal tusk")
   (memcache-test-until (get-buffer "*xref*"))
   (with-current-buffer "*xref*"
     (should (search-forward "p. 2  " nil t)))
   (with-current-buffer "*xref*" (goto-char (point-min)))
   (next-error)
   (should (equal (buffer-name (window-buffer)) "*memcache passage*"))
   (memcache-test-with-viewer
    (with-current-buffer "*xref*" (goto-char (point-min)))
    (next-error)
    (memcache-test-until memcache-test--turned)
    (should (equal memcache-test--turned (cons (memcache-test--papers "manual.pdf") 2))))))

(ert-deftest memcache-test-what-emacs-cannot-show-the-system-opens ()
  (let* ((folder (file-name-as-directory (make-temp-file "mc-open-" t)))
         (opener (expand-file-name "xdg-open" folder))
         (told (expand-file-name "told" folder))
         (pdf (memcache-test--papers "manual.pdf"))
         (exec-path (list folder "/bin" "/usr/bin"))
         (process-environment (append (list "DISPLAY=:77" (format "PATH=%s:/bin:/usr/bin" folder))
                                      process-environment)))
    (unwind-protect
        (progn
          (with-temp-file opener (insert (format "#!/bin/sh\nprintf %%s \"$1\" >%s.new\nmv %s.new %s\n"
                                                 told told told)))
          (set-file-modes opener #o700)
          (memcache--open-file pdf)
          (memcache-test-until (file-exists-p told))
          (should (equal pdf (with-temp-buffer (insert-file-contents told) (buffer-string))))
          (cl-flet ((told (file) (cadr (should-error (memcache--open-file file) :type 'user-error))))
            (delete-file opener)
            (let ((exec-path (list folder)))
              (should (string-match-p "manual.pdf itself: install xdg-open" (told pdf))))
            (setenv "DISPLAY" nil)
            (setenv "WAYLAND_DISPLAY" nil)
            (should (string-match-p "terminal cannot show .*manual.pdf: open it" (told pdf)))
            (let ((memcache--news (list (list "The manual" pdf "papers" nil))))
              (should-error (memcache-news) :type 'user-error)
              (should memcache--news))  ; it can still be opened elsewhere, or asked about
            (should (string-match-p "not there any more" (told (concat pdf ".gone"))))
            (let ((memcache--news (list (list "Gone" (concat pdf ".gone") "papers" nil))))
              (should-error (memcache-news) :type 'user-error)
              (should-not memcache--news))))
      (delete-directory folder t))))

;;;; News

(ert-deftest memcache-test-a-new-page-is-told-opened-and-asked-about ()
  (memcache-test-fresh
   (let* ((default-directory memcache-test-project) (memcache--chosen nil) (memcache--news nil)
          (folder (expand-file-name "pages/" memcache-test--disk))
          (page (expand-file-name "zebu.html" folder)))
     (memcache-caches-add-reading "reading" folder)
     (memcache-test-until (equal (memcache-test--cache-state "reading") "ready"))
     (unwind-protect
         (progn
           (with-temp-file page
             (insert "<html><body><h1>The zebu</h1><p>A zebu has a hump of fat.</p></body></html>\n"))
           (memcache-test-until memcache--news)
           (should (equal (car memcache--news) (list "The zebu" page "reading" nil)))
           (should (string-match-p "reading has a new page, The zebu" (memcache-test--messages)))
           (memcache-test-until (equal (memcache--lighter) " Memcache 1 new"))
           (let ((news memcache--news))
             (memcache-news)
             (should (equal (buffer-file-name (window-buffer)) page))
             (should-not memcache--news)
             (should-error (memcache-news) :type 'user-error)
             (setq memcache--news news))
           (memcache-news-ask "what does a zebu have?")
           (let ((turn (memcache-test-written (get-buffer "*memcache*"))))
             (should (string-match-p "hump" (memcache-test-text turn)))
             (should (equal (memcache--place-file (car (memcache--turn-sources turn))) page))))
       (memcache--caches-do "remove" :name "reading")
       (memcache-test-until (not (member "reading" (memcache--known-caches))))
       (when-let* ((buffer (get-file-buffer page))) (kill-buffer buffer))
       (delete-file page)))))

(provide 'memcache-caches-test)
;;; memcache-caches-test.el ends here
