using System;
using System.Collections.Generic;

namespace Shop.Orders
{
    /// <summary>What was ordered.</summary>
    public record OrderLine(string Sku, int Quantity);

    public enum Status { Open, Paid }

    public interface IRepository<T>
    {
        T Find(Guid id);
    }

    public delegate void Paid(Order order);

    /// <summary>
    /// An order of one customer.
    /// </summary>
    [Serializable]
    public class Order : IEntity
    {
        private const int MaxLines = 100;
        private readonly List<OrderLine> _lines = new();

        public event Paid OnPaid;

        public Order(Guid id)
        {
            Id = id;
        }

        public Guid Id { get; }

        public decimal this[int index] => _lines[index].Quantity;

        /// <summary>Add a line.</summary>
        [Obsolete("use Append")]
        public void Add(OrderLine line)
        {
            if (line is null)
            {
                throw new ArgumentNullException(nameof(line));
            }
            if (_lines.Count >= MaxLines)
            {
                throw new InvalidOperationException("too many lines");
            }
            _lines.Add(line);
        }

        public static Order operator +(Order left, OrderLine right)
        {
            left.Add(right);
            return left;
        }
    }

    public struct Money
    {
        public decimal Amount;
    }
}
