-- The shop's schema.
CREATE SCHEMA shop;

-- Customers, one row each.
CREATE TABLE IF NOT EXISTS shop.customers (
    id SERIAL PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT UNIQUE
);

CREATE INDEX customers_name ON shop.customers (name);

CREATE TYPE order_state AS ENUM ('open', 'paid');

CREATE OR REPLACE VIEW paid_orders AS
SELECT o.id, o.total
FROM orders o
WHERE o.state = 'paid';

/* Sum of all orders of one customer. */
CREATE FUNCTION customer_total(customer INTEGER) RETURNS NUMERIC AS $$
BEGIN
    RETURN (
        SELECT sum(total)
        FROM orders
        WHERE customer_id = customer
    );
END;
$$ LANGUAGE plpgsql;

CREATE TRIGGER touch_customer
    BEFORE UPDATE ON shop.customers
    FOR EACH ROW EXECUTE FUNCTION touch();

CREATE MATERIALIZED VIEW monthly AS SELECT 1;

ALTER TABLE shop.customers ADD COLUMN created TIMESTAMP;

INSERT INTO shop.customers (name) VALUES ('Ada');

SELECT * FROM paid_orders;
