import { EventEmitter } from "node:events";

export type Handler<T> = (event: T) => void;

/** What a store can do. */
export interface Store<K, V> {
  readonly size: number;
  get(key: K): V | undefined;
  set(key: K, value: V): void;
}

export enum Level {
  Debug,
  Info = "info",
}

export namespace Paths {
  export const ROOT = "/";
  export function join(...parts: string[]): string {
    return parts.join(ROOT);
  }
}

/**
 * Forget the entry that was used least recently.
 */
@injectable()
export class LruCache<K, V> extends EventEmitter implements Store<K, V> {
  private entries = new Map<K, V>();

  constructor(private readonly limit: number) {
    super();
  }

  get size(): number {
    return this.entries.size;
  }

  get(key: K): V | undefined {
    const value = this.entries.get(key);
    if (value !== undefined) {
      this.entries.delete(key);
      this.entries.set(key, value);
    }
    return value;
  }

  set(key: K, value: V): void {
    this.entries.set(key, value);
    if (this.entries.size > this.limit) {
      this.evict();
    }
  }

  protected evict = (): void => {
    const [oldest] = this.entries.keys();
    this.entries.delete(oldest);
  };
}

export abstract class Base {
  abstract run(): void;
}

export const createCache = <K, V>(limit = 100): LruCache<K, V> => new LruCache<K, V>(limit);

export default function main(): void {}

declare module "legacy" {
  export function old(): void;
}
