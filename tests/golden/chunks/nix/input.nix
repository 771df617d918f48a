# A package and its shell.
{ pkgs ? import <nixpkgs> { } }:

let
  version = "1.0";
  # Build one package.
  build = name: pkgs.stdenv.mkDerivation {
    inherit name version;
    src = ./.;
  };
in
{
  memo = build "memo";
  shell = pkgs.mkShell {
    buildInputs = [ pkgs.python3 ];
  };
}
