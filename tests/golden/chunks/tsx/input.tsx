import React, { useState } from "react";

interface Props {
  label: string;
  onSelect?: (id: number) => void;
}

/** A button that counts its clicks. */
export function Counter({ label }: Props) {
  const [count, setCount] = useState(0);
  return (
    <button onClick={() => setCount(count + 1)}>
      {label}: {count}
    </button>
  );
}

export const List: React.FC<{ items: string[] }> = ({ items }) => (
  <ul>
    {items.map((item) => (
      <li key={item}>{item}</li>
    ))}
  </ul>
);

export const Memo = React.memo(function Inner(props: Props) {
  return <b>{props.label}</b>;
});

class Legacy extends React.Component<Props> {
  state = { open: false };

  render() {
    return <Counter label={this.props.label} />;
  }
}

export default Legacy;
