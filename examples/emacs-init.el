;;; emacs-init.el --- memcache.el in an init file  -*- lexical-binding: t; -*-

;;; Commentary:

;; Take one of the two forms.  CLONE stands for the folder of this repository.

;;; Code:

;; Installed once by M-x package-install-file RET CLONE/editors/emacs RET:
(use-package memcache                   ; comes with Emacs 29; from GNU ELPA for 28
  :custom
  (memcache-command '("CLONE/.venv/bin/memcache-lsp" "serve"))
  :bind-keymap ("C-c m" . memcache-command-map)
  :init (global-memcache-mode))

;; Without use-package, and without installing it:
(add-to-list 'load-path "CLONE/editors/emacs")
(require 'memcache)
(setq memcache-command '("CLONE/.venv/bin/memcache-lsp" "serve"))
(global-memcache-mode)
(global-set-key (kbd "C-c m") memcache-command-map)

;;; emacs-init.el ends here
