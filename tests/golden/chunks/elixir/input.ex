defmodule Shop.Cart do
  @moduledoc """
  A customer's cart.
  """

  use GenServer
  alias Shop.Item

  @max_items 20

  defstruct items: [], total: 0

  @type t :: %__MODULE__{items: [Item.t()]}

  @callback price(Item.t()) :: integer

  @doc """
  Start a cart.
  """
  @spec start_link(keyword) :: GenServer.on_start()
  def start_link(opts) do
    GenServer.start_link(__MODULE__, opts, name: opts[:name])
  end

  @doc "Add an item."
  def add(cart, %Item{} = item) when length(cart.items) < @max_items do
    %{cart | items: [item | cart.items]}
  end

  def add(_cart, _item), do: {:error, :full}

  @impl true
  def handle_call(:checkout, _from, cart) do
    total =
      cart.items
      |> Enum.map(&price/1)
      |> Enum.sum()

    case Payments.charge(total) do
      {:ok, receipt} ->
        {:reply, receipt, %{cart | items: []}}

      {:error, reason} ->
        {:reply, {:error, reason}, cart}
    end
  end

  defp price(%Item{price: price}), do: price

  defmacro debug(expression) do
    quote do: IO.inspect(unquote(expression))
  end

  defguard is_full(cart) when length(cart.items) >= 20
end

defprotocol Shop.Priced do
  def price(thing)
end

defimpl Shop.Priced, for: Shop.Item do
  def price(item), do: item.price
end

defmodule Shop.CartTest do
  use ExUnit.Case

  describe "add/2" do
    test "keeps the item" do
      assert Shop.Cart.add(%Shop.Cart{}, %Shop.Item{})
    end
  end
end
