import 'dart:async';

const int maxItems = 20;

typedef Handler = void Function(Item item);

/// One thing.
class Item {
  final String name;

  Item(this.name);

  Item.empty() : name = '';

  String get label => name.toUpperCase();

  /// Compare by name.
  @override
  bool operator ==(Object other) => other is Item && other.name == name;

  void rename(String to) {
    print(to);
  }
}

abstract class Shelf {
  void add(Item item);
}

mixin Logging {
  void log(String text) => print(text);
}

enum State { open, closed }

extension Shout on String {
  String shout() => toUpperCase();
}

int count(List<Item> items) {
  return items.length;
}
