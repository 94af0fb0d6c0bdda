"""Words of which people, goods and complaints are made."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST_NAMES = _words("""
    Ada Adrian Agnes Aino Aleks Alma Amara Amir Anders Anika Anton Arlo Astrid Aurel Beata Benno
    Bianca Bjarne Bruno Camille Carla Casimir Cecilia Chiara Clara Claudio Daan Dagmar Dario
    Dilan Dora Edda Eero Elia Elin Elodie Emre Enzo Esther Fabio Farah Felix Femke Fiona Florian
    Freya Gaia Gesa Gitte Greta Hana Hanno Hedda Hugo Ida Ilse Imogen Ines Ingrid Isaac Ivana
    Jana Jasper Jonas Judit Jules Kaja Karim Katja Kian Klara Laila Lars Lea Leon Levin Lina
    Linnea Louis Luca Magda Maja Malik Marek Marta Matteo Mia Milan Mina Moritz Nadia Naomi Nils
    Nina Noor Oda Olga Oskar Otto Paola Pavel Petra Pia Quentin Rafael Ravi Rhea Rosa Ruben
    Saskia Selma Silas Sofia Sören Tamar Theo Thea Tilda Tomás Ugo Ulla Vera Viktor Wanda Yara
    Yusuf Zoë Zofia
""")

LAST_NAMES = _words("""
    Abendroth Adair Ahlberg Almeida Amsel Andric Arnaud Astor Baines Bakker Baptiste Barlow
    Becker Bellini Berger Blom Bogdan Bonnet Brandt Brun Calder Cardoso Caruso Castell Cerny
    Claes Colombo Conti Costa Dahl Danner Delacroix Demir Dietz Dreyer Duarte Eklund Engel
    Esposito Faber Falk Farrow Ferrand Fiala Fischer Fjeld Fontaine Forster Frey Garnier Gatti
    Gerber Girard Graf Greco Gruber Haas Hagen Halloran Hansson Harker Heller Henning Hofer Holm
    Horvat Huber Ibsen Ivanov Jansen Jensen Jonker Kaiser Kaminski Keller Kerr Klein Kovac Kowal
    Krantz Kruse Lacroix Lambert Lang Larkin Laurent Lehmann Leroux Lind Lindgren Lopes Lorenz
    Lund Maas Madden Maier Marchetti Marek Martel Mercer Meyer Moreau Moretti Moser Nagy Navarro
    Neumann Nielsen Nordin Novak Nowicki Oberlin Olsen Orsini Otten Pacheco Palmer Parisi
    Pereira Perrin Petit Pinto Pohl Prat Quist Rahman Ramos Rasmussen Ricci Rinaldi Ritter
    Rivera Romano Roth Rousseau Sander Santoro Sauer Schell Schuster Seidel Serra Silva Simonis
    Sorel Stahl Steen Strand Suarez Svensson Tanner Teller Thorne Toth Ulrich Vance Varga
    Vermeer Vidal Vogel Voss Wagner Walsh Weber Weiss Wilder Winther Wolff Yilmaz Zach Zander
    Ziegler
""")

STREETS = _words("""
    Mill Garden Station Harbour Church Linden Market Castle River Meadow Orchard Chapel Tower
    Bridge Canal Forest Hill Park School Spring
""")

EMAIL_DOMAINS = (
    "example.com",
    "example.org",
    "example.net",
    "mail.example.com",
    "post.example.org",
)

# Category, goods, lowest and highest price in cents, how much likelier a return is.
CATEGORIES = (
    ("Kitchen", ("Kettle", "Pan", "Knife", "Grinder", "Scale", "Toaster"), 1_500, 18_000, 1.0),
    ("Garden", ("Shears", "Planter", "Hose", "Lantern", "Bench", "Trellis"), 900, 24_000, 0.8),
    ("Outdoor", ("Tent", "Backpack", "Jacket", "Stove", "Boots", "Headlamp"), 2_500, 42_000, 1.6),
    ("Home", ("Lamp", "Rug", "Curtain", "Shelf", "Mirror", "Cushion"), 1_200, 38_000, 1.1),
    (
        "Audio",
        ("Headphones", "Speaker", "Turntable", "Radio", "Microphone", "Amplifier"),
        3_500,
        68_000,
        1.9,
    ),
    ("Office", ("Chair", "Desk", "Notebook", "Pen", "Organiser", "Monitor Arm"), 400, 52_000, 0.7),
    ("Toys", ("Puzzle", "Kite", "Train", "Blocks", "Board Game", "Robot"), 800, 12_000, 0.9),
    ("Sports", ("Racket", "Mat", "Dumbbell", "Helmet", "Bottle", "Skates"), 900, 26_000, 1.2),
)

BRANDS = (
    "Alder",
    "Birkdal",
    "Corvane",
    "Dunmore",
    "Elvaro",
    "Fenwick & Sohn",
    "Gallant",
    "Hestra",
    "Ilmen",
    "Juniper Works",
    "Korvo",
    "Lumen Row",
)

FINISHES = (
    "Classic",
    "Compact",
    "Deluxe",
    "Eco",
    "Field",
    "Junior",
    "Lite",
    "Nova",
    "Pro",
    "Studio",
    "Travel",
    "Urban",
)

RETURN_REASONS = (
    "Damaged on arrival",
    "Not as described",
    "Arrived too late",
    "Wrong size",
    "Changed my mind",
    "Defective",
)

SUBJECTS = (
    "Parcel has not arrived",
    "Item arrived broken",
    "Refund is missing",
    "Question about my invoice",
    "Change of delivery address",
    "Cannot sign in",
    "Wrong item in the box",
    "Cancel my order",
)

OPENINGS = ("Hello,", "Hi there,", "Good morning,", "To whom it may concern,", "Dear team,")

COMPLAINTS = (
    "my parcel was due last week and the tracking page has not moved since.",
    "the box was open when it came and the item inside is cracked.",
    "I sent the goods back a fortnight ago and have seen no refund.",
    "the amount on the invoice is not the amount that was taken from my card.",
    "I have moved house and the order still shows the old address.",
    "the link in your message says that it has expired each time I try it.",
    "there were two left gloves in the box instead of the lamp that I ordered.",
    "please stop the order, I clicked twice by mistake.",
)

CLOSINGS = (
    "Thank you.",
    "Please look into this soon.",
    "I expect an answer this week.",
    "Kind regards.",
    "This is the second time I write.",
)
