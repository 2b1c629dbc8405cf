import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.context.support.IValidationSupport.IssueSeverity;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.ResultSeverityEnum;
import ca.uhn.fhir.validation.SingleValidationMessage;
import ca.uhn.hl7v2.DefaultHapiContext;
import ca.uhn.hl7v2.parser.CanonicalModelClassFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.UnknownCodeSystemWarningValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;

/**
 * What a validator written by others says of what Causeway makes.
 *
 * <p>{@code fhir LIST FILE...}: each file is a FHIR R4 resource; errors by kind with a count, those that LIST does not
 * accept first, then one line each.
 * {@code v2 FILE...}: each file is an HL7 v2 message as it goes over the wire; which of them HAPI HL7 v2 does not read.
 *
 * <p>Exit code: 0 no error but accepted ones, 1 others.
 */
public class Check {
  public static void main(String[] args) throws Exception {
    List<Path> files = new ArrayList<>();
    int first = args[0].equals("v2") ? 1 : 2;
    for (int at = first; at < args.length; at++) {
      files.add(Path.of(args[at]));
    }
    boolean right = first == 1 ? v2(files) : fhir(Accepted.read(Path.of(args[1])), files);
    System.exit(right ? 0 : 1);
  }

  static boolean fhir(List<Accepted> accepted, List<Path> files) throws Exception {
    FhirContext context = FhirContext.forR4();
    UnknownCodeSystemWarningValidationSupport unknown = new UnknownCodeSystemWarningValidationSupport(context);
    unknown.setNonExistentCodeSystemSeverity(IssueSeverity.WARNING);
    ValidationSupportChain chain = new ValidationSupportChain(
        new DefaultProfileValidationSupport(context),
        new CommonCodeSystemsTerminologyService(context),
        new InMemoryTerminologyServerValidationSupport(context),
        new SnapshotGeneratingValidationSupport(context),
        unknown);
    FhirInstanceValidator instance = new FhirInstanceValidator(chain);
    instance.setAnyExtensionsAllowed(true);
    FhirValidator validator = context.newValidator().registerValidatorModule(instance);
    Map<String, Integer> kinds = new TreeMap<>();
    List<String> lines = new ArrayList<>();
    List<String> faults = new ArrayList<>();
    int warnings = 0;
    for (Path file : files) {
      String text = Files.readString(file, StandardCharsets.UTF_8);
      for (SingleValidationMessage found : validator.validateWithResult(text).getMessages()) {
        if (found.getSeverity().ordinal() < ResultSeverityEnum.ERROR.ordinal()) {
          warnings += found.getSeverity() == ResultSeverityEnum.WARNING ? 1 : 0;
          continue;
        }
        String kind = found.getMessageId() + " " + element(found.getLocationString());
        kinds.merge(kind, 1, Integer::sum);
        String line = file.getFileName() + "\t" + kind + "\t" + found.getLocationString() + "\t" + found.getMessage();
        lines.add(line);
        if (accepted.stream().noneMatch(entry -> entry.takes(kind, found.getMessage()))) {
          faults.add("not accepted\t" + line);
        }
      }
    }
    for (Accepted entry : accepted) {
      if (entry.limit < entry.found) {
        faults.add("more than accepted\t" + entry.found + " of " + entry.limit + "\t" + entry.kind + "\t" + entry.message);
      }
    }
    System.out.println(files.size() + " resources, " + lines.size() + " errors, " + faults.size() + " of them not accepted, " + warnings + " warnings");
    faults.forEach(System.out::println);
    for (Accepted entry : accepted) {
      System.out.println("accepted\t" + entry.found + " of " + entry.limit + "\t" + entry.kind + "\t" + entry.message);
    }
    kinds.forEach((kind, count) -> System.out.println(count + "\t" + kind));
    lines.forEach(System.out::println);
    return faults.isEmpty();
  }

  /** A kind of error that stays, for a reason: how many of it at most, and a pattern of what is said. */
  static class Accepted {
    int limit;
    int found;
    String kind;
    Pattern message;

    /** Lines of limit, kind, pattern and reason, with tabs between them; {@code #} begins a comment. */
    static List<Accepted> read(Path list) throws Exception {
      List<Accepted> all = new ArrayList<>();
      for (String line : Files.readAllLines(list, StandardCharsets.UTF_8)) {
        if (line.isBlank() || line.startsWith("#")) {
          continue;
        }
        String[] parts = line.split("\t");
        if (parts.length != 4 || parts[3].isBlank()) {
          throw new IllegalArgumentException(list + ": not limit, kind, pattern and reason: " + line);
        }
        Accepted entry = new Accepted();
        entry.limit = Integer.parseInt(parts[0]);
        entry.kind = parts[1];
        entry.message = Pattern.compile(parts[2]);
        all.add(entry);
      }
      return all;
    }

    /** Is an error this one? If so, it is counted. */
    boolean takes(String errorKind, String text) {
      boolean own = kind.equals(errorKind) && message.matcher(text).find();
      found += own ? 1 : 0;
      return own;
    }
  }

  /** The element without its places in lists and without the entry around it. */
  static String element(String location) {
    String bare = location == null ? "" : location.replaceAll("\\[\\d+]|/\\*.*?\\*/", "");
    return bare.replaceAll("^Bundle\\.entry\\.resource\\.?(ofType\\((\\w+)\\))?", "$2");
  }

  static boolean v2(List<Path> files) throws Exception {
    int read = 0;
    try (DefaultHapiContext context = new DefaultHapiContext(new CanonicalModelClassFactory("2.5.1"))) {
      for (Path file : files) {
        String text = Files.readString(file, StandardCharsets.UTF_8);
        try {
          context.getPipeParser().parse(text);
          read++;
        } catch (Exception error) {
          System.out.println(file.getFileName() + "\t" + error.getMessage());
        }
      }
    }
    System.out.println(read + " of " + files.size() + " messages read");
    return read == files.size();
  }
}
