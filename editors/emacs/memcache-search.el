;;; memcache-search.el --- Find places by words, names and meaning  -*- lexical-binding: t; -*-

;; Copyright (c) 2026 The memcache-lsp authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Owns search: with results in an xref buffer that follows what is typed, and
;; in the minibuffer, where the best are offered as completions.
;;
;; A query is sent when typing pauses; of several that are on their way only
;; the last one counts, and the others are stopped.  Nothing waits: what is
;; shown is replaced when the next results are there.  Where they are not all, it
;; is searched anew when the index changed.

;;; Code:

(require 'cl-lib)
(require 'subr-x)
(require 'xref)
(require 'memcache-ask)

(declare-function icomplete-exhibit "icomplete")
(declare-function icomplete-force-complete-and-exit "icomplete")
(declare-function icomplete-forward-completions "icomplete")
(declare-function icomplete-backward-completions "icomplete")
(declare-function icomplete-minibuffer-setup "icomplete")
(declare-function vertico--exhibit "ext:vertico")
(declare-function vertico--candidate "ext:vertico")
(defvar icomplete-mode)
(defvar icomplete-vertical-mode)
(defvar icomplete-prospects-height)
(defvar icomplete-separator)
(defvar icomplete-hide-common-prefix)
(defvar icomplete-show-matches-on-no-input)
(defvar vertico--input)

(defconst memcache--search-delay 0.15
  "How long typing must pause before a query is sent, in seconds.")

(defconst memcache--search-again-seconds 1.5
  "How long until it is looked whether more was indexed.")

(defconst memcache--search-limit 30
  "How many results are asked for.")

(defvar memcache--search-history nil
  "Queries of before.")

;;;; Queries while one types

(cl-defstruct (memcache--search (:copier nil))
  "A search that follows what is typed.
SHOW is called with each list of hits that comes; LIVE while one types; STATUS
is that of the index when the query was sent."
  live directory connection scope document query status request timer hits notes show)

(defun memcache--begin-search (scope show)
  "Return a search in SCOPE, whose results SHOW gets."
  (let ((file (memcache--buffer-file)))
    (make-memcache--search
     :connection (memcache--connect) :scope scope :show show
     :directory default-directory
     :document (and file (memcache-make-text-document-identifier
                          :uri (memcache--uri file))))))

(defun memcache--search-for (search query)
  "Have SEARCH look for QUERY when typing pauses."
  (unless (equal query (memcache--search-query search))
    (setf (memcache--search-query search) query
          (memcache--search-live search) t)
    (when (memcache--search-timer search)
      (cancel-timer (memcache--search-timer search)))
    (setf (memcache--search-timer search)
          (run-at-time memcache--search-delay nil #'memcache--search-now search))))

(defun memcache--search-now (search)
  "Send the query of SEARCH."
  (memcache--end-search search)
  (if (string-empty-p (memcache--search-words search))
      (memcache--found search nil)
    (memcache--search-look search #'memcache--search-send)))

(defun memcache--search-words (search)
  "Return the words of SEARCH, empty for nothing."
  (string-trim (or (memcache--search-query search) "")))

(defun memcache--search-look (search take)
  "Have TAKE called with SEARCH and the status of its scope."
  (let ((default-directory (memcache--search-directory search)))
    (unless (jsonrpc-running-p (memcache--search-connection search))
      (setf (memcache--search-connection search) (memcache--connect)))
    (memcache--search-await
     search take
     (lambda (success)
       (memcache--ask-status (memcache--search-connection search)
                             (memcache--search-scope search) success)))))

(defun memcache--search-await (search take send)
  "Have TAKE called with SEARCH and the result of a request.
SEND gets what takes that result, and has to return the request.  What comes
after another was sent is not taken."
  (let (request)
    (setq request (funcall send (lambda (result)
                                  (when (eq request (memcache--search-request search))
                                    (setf (memcache--search-request search) nil)
                                    (funcall take search result)))))
    (setf (memcache--search-request search) request)))

(defun memcache--search-send (search status)
  "Send the query of SEARCH, STATUS being that of its scope."
  (setf (memcache--search-status search) status)
  (let ((default-directory (memcache--search-directory search)))
    (memcache--search-await
     search #'memcache--search-result
     (lambda (success)
       (memcache--request
        (memcache--search-connection search) memcache-method-search
        (memcache-make-search-params
         :query (memcache--search-words search) :limit memcache--search-limit
         :scope (memcache--search-scope search)
         :text-document (memcache--search-document search))
        :success success)))))

(defun memcache--search-result (search result)
  "Take RESULT for SEARCH; there may be more in a moment if it is not complete."
  (cond ((memcache-search-result-complete result))
        ((memcache--search-live search) (memcache--search-later search))
        ((memcache--indexing-p (memcache--search-status search))
         (message "Memcache: it is still being indexed; g shows more")))
  (let ((notes (memcache-search-result-notes result))
        (before (memcache--search-notes search)))
    (setf (memcache--search-notes search) notes)
    (memcache--found search (memcache-search-result-hits result))
    (unless (and (memcache--search-live search) (equal notes before))
      (memcache--tell-notes notes))))

(defun memcache--search-later (search)
  "Look in a moment whether there is more for SEARCH."
  (setf (memcache--search-timer search)
        (run-at-time memcache--search-again-seconds nil
                     #'memcache--search-look search #'memcache--search-more)))

(defun memcache--search-more (search status)
  "Send SEARCH again where by STATUS the index changed; wait while it is indexed."
  (let ((version (lambda (status)
                   (memcache-scope-status-version (memcache-status-result-scope status)))))
    (cond ((not (memcache--search-live search)))
          ((/= (funcall version status) (funcall version (memcache--search-status search)))
           (memcache--search-send search status))
          ((memcache--indexing-p status) (memcache--search-later search)))))

(defun memcache--tell-notes (notes)
  "Show NOTES, sentences about what was not searched, if there are any."
  (when notes
    (message "Memcache: %s" (string-join notes " "))))

(defun memcache--found (search hits)
  "Give HITS to who wants those of SEARCH."
  (setf (memcache--search-hits search) hits)
  (funcall (memcache--search-show search) hits))

(defun memcache--end-search (search)
  "Stop what SEARCH is at, but not that it is live."
  (when (memcache--search-timer search)
    (cancel-timer (memcache--search-timer search))
    (setf (memcache--search-timer search) nil))
  (when (memcache--search-request search)
    (memcache--cancel (memcache--search-request search))
    (setf (memcache--search-request search) nil)))

;;;; In an xref buffer

(cl-defstruct (memcache--document-location (:copier nil))
  "Where xref finds a HIT on HOST that is in a file that is no text."
  hit host)

(cl-defmethod xref-location-group ((location memcache--document-location))
  "Return the file of LOCATION."
  (memcache--file (memcache-location-uri
                   (memcache-hit-location (memcache--document-location-hit location)))
                  (memcache--document-location-host location)))

(cl-defmethod xref-location-marker ((location memcache--document-location))
  "Return where LOCATION can be seen; a page is turned to when it is displayed."
  (let* ((place (memcache--hit-place (memcache--document-location-hit location)
                                     (memcache--document-location-host location)))
         (buffer (memcache--place-buffer place)))
    (memcache--later #'memcache--turn-to buffer (memcache--place-page place))
    (with-current-buffer buffer (copy-marker (point-min)))))

(defun memcache--xref (hit host)
  "Return HIT on HOST as an xref item."
  (let* ((location (memcache-hit-location hit))
         (spot (memcache--spot location)))
    (if spot
        (xref-make (string-trim-left (format "%s  %s" spot (memcache--hit-summary hit)))
                   (make-memcache--document-location :hit hit :host host))
      (xref-make (memcache--hit-summary hit)
                 (xref-make-file-location
                  (memcache--file (memcache-location-uri location) host)
                  (memcache--hit-line hit) 0)))))

(defun memcache--show-xrefs (hits host again)
  "Show HITS on HOST in an xref buffer; AGAIN asks for them once more."
  (let ((items (mapcar (lambda (hit) (memcache--xref hit host)) hits))
        (first t))
    ;; What a user has in place of it may read in the minibuffer, which is in use.
    (xref--show-xref-buffer
     (lambda ()
       (unless first (memcache--later again))
       (setq first nil)
       items)
     `((window . ,(selected-window)) (display-action) (auto-jump)))))

(defun memcache--show-found (hits connection what again)
  "Show HITS from CONNECTION of WHAT, or say there are none; AGAIN as above."
  (cond ((null hits) (message "Memcache: nothing is like %s" what))
        ((active-minibuffer-window)     ; whoever types by now is not disturbed
         (save-selected-window
           (with-selected-window (minibuffer-selected-window)
             (memcache--show-xrefs hits (oref connection host) again))))
        (t (memcache--show-xrefs hits (oref connection host) again))))

(defun memcache--live-xrefs (hits search window)
  "Show HITS of SEARCH beside WINDOW while the minibuffer is in use."
  (when (and hits (window-live-p window))
    (save-selected-window
      (select-window window t)
      (memcache--show-xrefs
       hits (oref (memcache--search-connection search) host)
       (lambda () (memcache--search-again search))))))

(defun memcache--search-again (search)
  "Ask SEARCH once more, and show what comes."
  (let ((window (selected-window)))
    (setf (memcache--search-show search)
          (lambda (hits) (memcache--live-xrefs hits search window)))
    (memcache--search-now search)))

;;;###autoload
(defun memcache-search (query &optional scope)
  "Search the project for QUERY: words, names, or a question.
The results are shown in an xref buffer while you type; \\[next-error] goes
through them afterwards.  `memcache-scope' chooses what is searched; with a
prefix argument, read the SCOPE of this search alone."
  (interactive (list nil (and current-prefix-arg (memcache--read-scope))))
  (let* ((window (selected-window))
         (search (memcache--begin-search (or scope (memcache--scope)) #'ignore)))
    (setf (memcache--search-show search)
          (lambda (hits) (memcache--live-xrefs hits search window)))
    (if query
        (setf (memcache--search-query search) query)
      (memcache--read-query search))
    (memcache--search-last search)))

(defun memcache--read-query (search)
  "Read the query of SEARCH, which follows it meanwhile."
  (let ((done nil))
    (unwind-protect
        (progn
          (minibuffer-with-setup-hook
              (lambda ()
                (add-hook 'post-command-hook
                          (lambda ()
                            (memcache--search-for search (minibuffer-contents-no-properties)))
                          nil t))
            (setf (memcache--search-query search)
                  (read-string (memcache--prompt "Search" (memcache--search-scope search)) nil 'memcache--search-history)))
          (setq done t))
      (setf (memcache--search-live search) nil)
      (unless done (memcache--end-search search)))))

(defun memcache--search-last (search)
  "Show the results of what was typed last in SEARCH, and select them."
  (let ((query (memcache--search-query search))
        (connection (memcache--search-connection search)))
    (setf (memcache--search-show search)
          (lambda (hits)
            (memcache--show-found hits connection query
                                  (lambda () (memcache--search-again search)))))
    (unless (string-empty-p (memcache--search-words search))
      (memcache--search-now search))))

;;;###autoload
(defun memcache-similar ()
  "Find what resembles the region, else the definition at point."
  (interactive)
  (let* ((bounds (or (memcache--selection-bounds)
                     (cons (line-beginning-position) (line-end-position))))
         (file (or (memcache--buffer-file)
                   (user-error "This buffer has no file: others can only be compared with a file's text")))
         (connection (memcache--connect))
         (params (memcache-make-similar-params
                  :text-document (memcache-make-text-document-identifier
                                  :uri (memcache--uri file))
                  :range (memcache--range (car bounds) (cdr bounds))
                  :scope (memcache--scope)))
         ask)
    (setq ask (lambda ()
                (memcache--request
                 connection memcache-method-similar params
                 :success (lambda (result)
                            (memcache--show-found (memcache-search-result-hits result)
                                                  connection "this" ask)
                            (memcache--tell-notes (memcache-search-result-notes result))))))
    (funcall ask)))

;;;; In the minibuffer

(add-to-list 'completion-styles-alist
             '(memcache--found memcache--complete-none memcache--complete-all
                               "What the server found, whatever was typed."))

(defun memcache--complete-none (string _table _predicate point)
  "Leave STRING, with POINT in it, as it is."
  (cons string point))

(defun memcache--complete-all (_string table predicate _point)
  "Return all of TABLE that PREDICATE takes."
  (all-completions "" table predicate))

(defun memcache--candidates (hits)
  "Return HITS as an alist of candidate and hit, each with another text."
  (let ((seen (make-hash-table :test #'equal)))
    (cl-loop for hit in hits
             for label = (concat (memcache--hit-label hit) "  " (memcache--hit-summary hit))
             unless (gethash label seen)
             do (puthash label t seen)
             and collect (cons label hit))))

(defun memcache--candidate-table (candidates)
  "Return a completion table of what the function CANDIDATES gives."
  (lambda (string predicate action)
    (pcase action
      ('metadata '(metadata (category . memcache) (display-sort-function . identity)
                            (cycle-sort-function . identity)))
      (`(boundaries . ,_) nil)
      ('lambda (and (assoc string (funcall candidates)) t))
      ('t (all-completions "" (funcall candidates) predicate))
      (_ (if (assoc string (funcall candidates)) t string)))))

(defun memcache--refresh-completions (candidates chosen)
  "Have CANDIDATES shown in the minibuffer, CHOSEN being selected if it is there."
  (cond ((bound-and-true-p vertico--input) ; which keeps what was chosen by itself
         (setq vertico--input t)
         (vertico--exhibit))
        (t
         (setq completion-all-sorted-completions nil)
         (icomplete-exhibit)
         (when (assoc chosen candidates)
           (cl-loop repeat (length candidates)
                    until (equal (memcache--current-candidate) chosen)
                    do (icomplete-forward-completions))
           (icomplete-exhibit)))))

(defun memcache--current-candidate ()
  "Return the candidate that is to be taken, or nil."
  (if (bound-and-true-p vertico--input)
      (vertico--candidate)
    (car-safe completion-all-sorted-completions)))

(defun memcache--setup-completions ()
  "Have candidates shown while one types, unless something does that already."
  (unless (or (bound-and-true-p icomplete-mode) (bound-and-true-p vertico-mode))
    (require 'icomplete)
    (setq-local icomplete-mode t
                icomplete-vertical-mode t
                icomplete-show-matches-on-no-input t
                icomplete-separator "\n"
                icomplete-prospects-height 12
                icomplete-hide-common-prefix nil
                truncate-lines t
                max-mini-window-height 0.4)
    (icomplete-minibuffer-setup)
    (use-local-map
     (make-composed-keymap
      (let ((map (make-sparse-keymap)))
        (define-key map [down] #'icomplete-forward-completions)
        (define-key map [up] #'icomplete-backward-completions)
        (define-key map "\C-n" #'icomplete-forward-completions)
        (define-key map "\C-p" #'icomplete-backward-completions)
        (define-key map "\r" #'icomplete-force-complete-and-exit)
        map)
      (current-local-map)))))

;;;###autoload
(defun memcache-jump (&optional scope)
  "Search the project while you type, and go to the result that you choose.
The lines of the candidate are shown in another window.  With a prefix
argument, read the SCOPE first."
  (interactive (list (and current-prefix-arg (memcache--read-scope))))
  (let* ((candidates nil)
         (window (selected-window))
         (shown nil)
         minibuffer search)
    (setq search
          (memcache--begin-search
           (or scope (memcache--scope))
           (lambda (hits)
             (when (and (buffer-live-p minibuffer) (active-minibuffer-window))
               (with-selected-window (active-minibuffer-window)
                 (let* ((current (memcache--current-candidate))
                        (chosen (and (not (equal current (caar candidates))) current)))
                   (setq candidates (memcache--candidates hits))
                   (memcache--refresh-completions candidates chosen)
                   (setq shown (memcache--preview-candidate candidates search window shown))))))))
    (unwind-protect
        (let* ((completion-category-overrides
                (cons '(memcache (styles memcache--found)) completion-category-overrides))
               (choice
                (minibuffer-with-setup-hook
                    (lambda ()
                      (setq minibuffer (current-buffer))
                      (memcache--setup-completions)
                      (add-hook 'post-command-hook
                                (lambda ()
                                  (memcache--search-for search (minibuffer-contents-no-properties))
                                  (setq shown (memcache--preview-candidate
                                               candidates search window shown)))
                                90 t))
                  (completing-read (memcache--prompt "Jump in" (memcache--search-scope search))
                                   (memcache--candidate-table (lambda () candidates))
                                   nil nil nil 'memcache--search-history)))
               (hit (or (cdr (assoc choice candidates)) (cdar candidates))))
          (memcache--end-preview)
          (unless hit (user-error "Nothing was found"))
          (memcache--open (memcache--hit-place
                           hit (oref (memcache--search-connection search) host))))
      (setf (memcache--search-live search) nil)
      (memcache--end-search search)
      (memcache--end-preview))))

(defun memcache--preview-candidate (candidates search window shown)
  "Show the current one of CANDIDATES of SEARCH beside WINDOW, unless it is SHOWN.
Return it."
  (let* ((candidate (memcache--current-candidate))
         (hit (and candidate (cdr (assoc candidate candidates)))))
    (when (and hit (not (equal candidate shown)) (window-live-p window))
      (with-selected-window window
        (memcache--preview (memcache--hit-place
                            hit (oref (memcache--search-connection search) host)))))
    (if hit candidate shown)))

(provide 'memcache-search)
;;; memcache-search.el ends here
