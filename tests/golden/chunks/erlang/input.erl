%% A counter.
-module(counter).
-behaviour(gen_server).
-export([start/0, bump/1]).

-define(LIMIT, 10).

-record(state, {count = 0}).

-type count() :: non_neg_integer().

%% Start it.
-spec start() -> {ok, pid()}.
start() ->
    gen_server:start_link(?MODULE, [], []).

bump(0) ->
    zero;
bump(N) when N < ?LIMIT ->
    N + 1.
