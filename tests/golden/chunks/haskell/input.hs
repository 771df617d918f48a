{-# LANGUAGE LambdaCase #-}
-- | Parse and print arithmetic.
module Arith.Parser
  ( Expr (..)
  , parse
  ) where

import qualified Data.Map as Map
import Data.Maybe (fromMaybe)

-- | An expression.
data Expr
  = Num Int
  | Add Expr Expr
  | Var String
  deriving (Eq, Show)

newtype Parser a = Parser { runParser :: String -> Maybe (a, String) }

type Env = Map.Map String Int

-- | What can be printed.
class Pretty a where
  pretty :: a -> String
  prettyList :: [a] -> String
  prettyList = concatMap pretty

instance Pretty Expr where
  pretty (Num n) = show n
  pretty (Add a b) = pretty a ++ " + " ++ pretty b
  pretty (Var v) = v

-- | Evaluate an expression;
-- unknown variables count as zero.
eval :: Env -> Expr -> Int
eval _ (Num n) = n
eval env (Add a b) = eval env a + eval env b
eval env (Var v) = fromMaybe 0 (Map.lookup v env)

parse :: String -> Maybe Expr
parse text = case words text of
  [] -> Nothing
  [one] -> Just (atom one)
  (one : "+" : rest) ->
    Add (atom one) <$> parse (unwords rest)
  _ -> Nothing
  where
    atom word
      | all isDigit word = Num (read word)
      | otherwise = Var word

isDigit :: Char -> Bool
isDigit = \case
  c -> c >= '0' && c <= '9'

type family Elem c
infixl 6 <+>

(<+>) :: Expr -> Expr -> Expr
(<+>) = Add

maxDepth = 10
