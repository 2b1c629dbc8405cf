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
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.UnknownCodeSystemWarningValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;

/**
 * What a validator written by others says of what Causeway makes.
 *
 * <p>{@code fhir FILE...}: each file is a FHIR R4 resource; errors by kind with a count, then one line each.
 * {@code v2 FILE...}: each file is an HL7 v2 message as it goes over the wire; which of them HAPI HL7 v2 does not read.
 *
 * <p>Exit code: 0 no error, 1 errors.
 */
public class Check {
  public static void main(String[] args) throws Exception {
    List<Path> files = new ArrayList<>();
    for (int at = 1; at < args.length; at++) {
      files.add(Path.of(args[at]));
    }
    boolean right = args[0].equals("v2") ? v2(files) : fhir(files);
    System.exit(right ? 0 : 1);
  }

  static boolean fhir(List<Path> files) throws Exception {
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
        lines.add(file.getFileName() + "\t" + kind + "\t" + found.getLocationString() + "\t" + found.getMessage());
      }
    }
    System.out.println(files.size() + " resources, " + lines.size() + " errors, " + warnings + " warnings");
    kinds.forEach((kind, count) -> System.out.println(count + "\t" + kind));
    lines.forEach(System.out::println);
    return lines.isEmpty();
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
