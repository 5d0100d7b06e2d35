/// Looks for byte strings in a content that comes piece by piece.
package struct FormSearch {
    private let forms: [[UInt8]]
    /// As much of what came before as the beginning of a form can be in.
    private let overlap: Int
    private var window: [UInt8] = []
    /// Where the window begins in the content.
    private var offset = 0
    /// Where forms are.
    package private(set) var found: Set<Range<Int>> = []

    /// Looks for these; forms shorter than 16 bytes are left out.
    package init(_ forms: [[UInt8]]) {
        self.forms = forms.filter { $0.count >= 16 }
        overlap = max(0, (self.forms.map(\.count).max() ?? 0) - 1)
    }

    /// Takes the next piece.
    package mutating func take(_ piece: UnsafeRawBufferPointer) {
        let kept = window.suffix(overlap)
        offset += window.count - kept.count
        window = Array(kept) + piece
        for form in forms where form.count <= window.count {
            for start in 0...(window.count - form.count) where window[start] == form[0] {
                let range = start..<(start + form.count)
                if window[range].elementsEqual(form) {
                    found.insert((range.lowerBound + offset)..<(range.upperBound + offset))
                }
            }
        }
    }
}
