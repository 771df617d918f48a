# frozen_string_literal: true

require "json"

module Billing
  TAX_RATE = 0.2

  # Raised when an invoice does not add up.
  class InvoiceError < StandardError; end

  # One invoice of a customer.
  class Invoice
    attr_reader :lines, :customer

    STATES = %i[open paid].freeze

    def self.from_json(text)
      data = JSON.parse(text)
      new(data.fetch("customer"), data.fetch("lines"))
    end

    def initialize(customer, lines)
      @customer = customer
      @lines = lines
    end

    # The sum with tax, rounded to cents.
    def total
      sum = 0
      lines.each do |line|
        raise InvoiceError, "negative" if line.price.negative?

        sum += line.price * line.quantity
      end
      sum *= 1 + TAX_RATE
      sum.round(2)
    rescue NoMethodError => e
      raise InvoiceError, e.message
    end

    class << self
      def parse(text)
        from_json(text)
      end
    end

    def paid?
      @state == :paid
    end

    private

    def ==(other)
      other.total == total
    end
  end
end

class Billing::Receipt
  def print = puts(self)
end

def helper(name)
  name.upcase
end
