(* A bank account. *)
open Printf

exception Overdrawn of int

(** Money in cents. *)
type cents = int

type account = {
  owner : string;
  mutable balance : cents;
}

type event =
  | Deposit of cents
  | Withdraw of cents

let limit = 100_000

(** Apply one event. *)
let apply account event =
  match event with
  | Deposit amount ->
    account.balance <- account.balance + amount;
    if account.balance > limit then
      printf "rich: %s\n" account.owner
  | Withdraw amount ->
    let left = account.balance - amount in
    if left < 0 then
      raise (Overdrawn left)
    else
      account.balance <- left

let rec sum = function
  | [] -> 0
  | x :: rest -> x + sum rest

and product = function
  | [] -> 1
  | x :: rest -> x * product rest

let ( +! ) a b = a + b

module type LEDGER = sig
  type t
  val add : t -> event -> t
end

module Ledger : LEDGER = struct
  type t = event list

  let add ledger event = event :: ledger
end

class counter = object
  val mutable n = 0
  method incr = n <- n + 1
end

external now : unit -> float = "caml_now"

let () = printf "%d\n" (sum [1; 2])
