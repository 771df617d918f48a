import Foundation

let maximumRetries = 3

/// What can be drawn.
protocol Drawable {
    var bounds: CGRect { get }
    func draw(in context: Context)
}

enum Shade: String {
    case light
    case dark
}

typealias Completion = (Result<Data, Error>) -> Void

/// A circle around a point.
struct Circle: Drawable {
    let radius: Double

    var bounds: CGRect {
        CGRect(x: 0, y: 0, width: radius * 2, height: radius * 2)
    }

    func draw(in context: Context) {
        context.stroke(bounds)
    }
}

@MainActor
final class Canvas: NSObject {
    private var shapes: [Drawable] = []

    init(shapes: [Drawable]) {
        self.shapes = shapes
    }

    deinit {
        shapes.removeAll()
    }

    /// Draw everything,
    /// nearest last.
    @discardableResult
    func render(into context: Context, retries: Int = maximumRetries) throws -> Int {
        var drawn = 0
        for shape in shapes {
            guard context.visible.intersects(shape.bounds) else {
                continue
            }
            shape.draw(in: context)
            drawn += 1
        }
        if drawn == 0 && retries > 0 {
            return try render(into: context, retries: retries - 1)
        }
        return drawn
    }

    subscript(index: Int) -> Drawable {
        shapes[index]
    }
}

extension Circle: Equatable {
    static func == (left: Circle, right: Circle) -> Bool {
        left.radius == right.radius
    }
}

func area(of circle: Circle) -> Double {
    Double.pi * circle.radius * circle.radius
}

actor Counter {
    var value = 0
}
