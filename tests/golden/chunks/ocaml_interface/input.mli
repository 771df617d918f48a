(** Accounts and their events. *)

type t
(** An account. *)

type cents = int

exception Overdrawn of int

(** Open an account for an owner. *)
val create : owner:string -> t

val balance : t -> cents

module Ledger : sig
  type entry
  val append : t -> entry -> unit
end

module type S = sig
  val run : unit -> unit
end

external now : unit -> float = "caml_now"
