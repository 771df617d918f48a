(ns shop.cart
  (:require [clojure.string :as str]))

(def max-items 20)

;; Sum of all prices.
(defn total
  "Add up the prices of a cart."
  [cart]
  (reduce + (map :price (:items cart))))

(defn- helper [x] (inc x))

(defmacro unless [test & body]
  `(when-not ~test ~@body))

(defprotocol Priced
  (price [this]))

(defrecord Item [name price])

(deftest total-test
  (is (= 0 (total {}))))
