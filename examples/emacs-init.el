;;; emacs-init.el --- memcache.el in an init file  -*- lexical-binding: t; -*-

;;; Commentary:

;; Take one of the two set-ups: installed as a package, with `use-package', or
;; without installing it.  CLONE stands for the folder of this repository.

;;; Code:

;; 1. Install it once by M-x package-install-file RET CLONE/editors/emacs RET, or
;; with Emacs 29 and newer from the repository, which `package-vc-upgrade' follows:
(package-vc-install
 '(memcache :url "file://CLONE" :lisp-dir "editors/emacs" :vc-backend Git))

;; Then in the init file:
(use-package memcache                   ; comes with Emacs 29; from GNU ELPA for 28
  :custom
  (memcache-command '("CLONE/.venv/bin/memcache-lsp" "serve"))
  :bind-keymap ("C-c m" . memcache-command-map)
  :init (global-memcache-mode))

;; 2. In the init file alone, without `use-package' and without installing it:
(add-to-list 'load-path "CLONE/editors/emacs")
(require 'memcache)
(setq memcache-command '("CLONE/.venv/bin/memcache-lsp" "serve"))
(global-memcache-mode)
(global-set-key (kbd "C-c m") memcache-command-map)

;;; emacs-init.el ends here
